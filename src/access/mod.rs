//! Who may use the gateway: virtual keys, their scopes and their checking.
