"""litellm drives the gateway as an OpenAI-compatible, a Responses and an Anthropic provider."""

import gc
import json
import os
import unittest
from functools import partial

import litellm

# litellm leaves a stream once it has seen its last event. The iterator of httpcore behind it, when collected, closes itself
# under the lock of the connection pool; collected while that pool is taking a request under the same lock, it waits for
# itself for ever. With reference counts alone nothing is collected there.
gc.disable()

URL, MODELS = os.environ["POINTSMAN_URL"], os.environ["POINTSMAN_MODELS"].split()

TOOL = {
    "type": "function",
    "function": {
        "name": "list_files",
        "description": "List the files in a folder",
        "parameters": {
            "type": "object",
            "properties": {"folder": {"type": "string"}},
            "required": ["folder"],
            "additionalProperties": False,
        },
    },
}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}


def said(text):
    return [{"role": "user", "content": text}]


def ways():
    settings = {"api_key": "none", "num_retries": 0, "timeout": 60, "max_tokens": 400}
    for model in MODELS:
        for way, base in [("openai", f"{URL}/v1"), ("anthropic", URL)]:
            name = f"{way}/{model}"
            yield name, partial(litellm.completion, model=name, api_base=base, **settings)


class LiteLlm(unittest.TestCase):
    def test_chat(self):
        for name, complete in ways():
            with self.subTest(name):
                answer = complete(messages=said("reply exactly PONG"))
                self.assertIn("PONG", answer.choices[0].message.content)
                self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_stream(self):
        for name, complete in ways():
            with self.subTest(name):
                told = {"stream": True, "stream_options": {"include_usage": True}}
                pieces = list(complete(messages=said("reply exactly PONG"), **told))
                text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
                self.assertIn("PONG", text)
                self.assertTrue(any(getattr(piece, "usage", None) for piece in pieces))

    def test_tools(self):
        for name, complete in ways():
            with self.subTest(name):
                question = said("List the files here.")
                message = complete(messages=question, tools=[TOOL], tool_choice="required").choices[0].message
                self.assertTrue(message.tool_calls)
                turn = [*question, message.model_dump(exclude_none=True)]
                for call in message.tool_calls:
                    self.assertEqual(call.function.name, "list_files")
                    self.assertIsInstance(json.loads(call.function.arguments)["folder"], str)
                    turn.append({"role": "tool", "tool_call_id": call.id, "content": "kiwi.txt"})
                end = complete(messages=turn, tools=[TOOL]).choices[0]
                self.assertEqual(end.finish_reason, "stop")
                self.assertTrue(end.message.content.strip())

    def test_streamed_tools(self):
        for name, complete in ways():
            with self.subTest(name):
                question = said("List the files here.")
                pieces = list(complete(messages=question, tools=[TOOL], tool_choice="required", stream=True))
                whole = litellm.stream_chunk_builder(pieces, messages=question)
                self.assertTrue(whole.choices[0].message.tool_calls)
                for call in whole.choices[0].message.tool_calls:
                    self.assertIsInstance(json.loads(call.function.arguments)["folder"], str)

    def test_structured_output(self):
        for name, complete in ways():
            with self.subTest(name):
                answer = complete(messages=said("Who wrote the first program?"), response_format=PERSON)
                person = json.loads(answer.choices[0].message.content)
                self.assertIsInstance(person["name"], str)
                self.assertIsInstance(person["age"], int)

    def test_responses(self):
        for model in MODELS:
            with self.subTest(model):
                answer = litellm.responses(
                    model=f"openai/{model}", input="reply exactly PONG", api_base=f"{URL}/v1", api_key="none"
                )
                texts = [part.text for item in answer.output if item.type == "message" for part in item.content]
                self.assertIn("PONG", "".join(texts))


if __name__ == "__main__":
    unittest.main()
