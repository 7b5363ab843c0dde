//! Model APIs: who serves a model, how it is called, and how healthy it is.
