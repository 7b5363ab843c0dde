"""What the client tests share: where the gateway is, and a key for it."""

import os

URL = os.environ["POINTSMAN_URL"]
KEY = os.environ["POINTSMAN_KEY"]
TEXT = os.environ["POINTSMAN_TEXT"]
"""What the upstream says when nothing else is asked of it."""

CHAT_MODELS = ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "mistral-small-2503"]
"""One model of each dialect behind the gateway."""


def said(marker):
    """A prompt that makes the upstream do what the marker says."""
    return [{"role": "user", "content": f"[[{marker}]] What is the weather in Zürich?"}]
