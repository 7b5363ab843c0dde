"""The official `anthropic` package drives the gateway, as coding agents do."""

import json
import unittest

import anthropic

from setup import CHAT_MODELS, KEY, TEXT, URL, said

WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(**changes):
    settings = {"base_url": URL, "api_key": KEY, "max_retries": 0, "timeout": 60}
    return anthropic.Anthropic(**{**settings, **changes})


class Messages(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.addCleanup(self.client.close)

    def create(self, model, marker="hello", **more):
        return self.client.messages.create(model=model, max_tokens=256, messages=said(marker), **more)

    def test_a_plain_answer_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                answer = self.create(model, system="You are brief.")
                self.assertEqual((answer.content[0].type, answer.content[0].text), ("text", TEXT))
                self.assertEqual((answer.role, answer.stop_reason), ("assistant", "end_turn"))
                self.assertGreater(answer.usage.input_tokens, 0)
                self.assertGreater(answer.usage.output_tokens, 0)

    def test_headers_say_what_it_cost(self):
        raw = self.client.messages.with_raw_response.create(
            model="claude-opus-4-6", max_tokens=256, messages=said("hello")
        )
        self.assertTrue(raw.headers["pointsman-operation"])
        self.assertGreater(float(raw.headers["pointsman-cost-usd"]), 0)

    def test_a_stream_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                asked = {"model": model, "max_tokens": 256, "messages": said("hello")}
                with self.client.messages.stream(**asked) as stream:
                    text = "".join(stream.text_stream)
                    message = stream.get_final_message()
                self.assertEqual((text, message.content[0].text), (TEXT, TEXT))
                self.assertEqual(message.stop_reason, "end_turn")
                self.assertGreater(message.usage.input_tokens, 0)
                self.assertGreater(message.usage.output_tokens, 1)

    def test_tools_there_and_back(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                messages = said("hello")
                asked = {"model": model, "max_tokens": 256, "tools": [WEATHER]}
                answer = self.client.messages.create(messages=messages, **asked)
                self.assertEqual(answer.stop_reason, "tool_use")
                call = next(block for block in answer.content if block.type == "tool_use")
                self.assertEqual((call.name, call.input), ("weather", {"city": "Zürich"}))
                messages += [
                    {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": '{"celsius": 21}'}],
                    },
                ]
                answer = self.client.messages.create(messages=messages, **asked)
                self.assertEqual(answer.content[0].text, TEXT)

    def test_tools_in_a_stream(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model):
                asked = {"model": model, "max_tokens": 256, "messages": said("hello"), "tools": [WEATHER]}
                with self.client.messages.stream(**asked) as stream:
                    message = stream.get_final_message()
                call = next(block for block in message.content if block.type == "tool_use")
                self.assertEqual((call.name, call.input), ("weather", {"city": "Zürich"}))
                self.assertEqual(message.stop_reason, "tool_use")

    def test_marks_for_the_cache_and_long_content_travel(self):
        block = {"type": "text", "text": "rules " * 2000, "cache_control": {"type": "ephemeral"}}
        answer = self.create("claude-opus-4-6", system=[block])
        self.assertEqual(answer.content[0].text, TEXT)
        usage = answer.usage
        self.assertIsNotNone(usage.cache_read_input_tokens)

    def test_leaving_in_the_middle_of_a_stream(self):
        asked = {"model": "claude-opus-4-6", "max_tokens": 256, "messages": said("endless")}
        with self.client.messages.stream(**asked) as stream:
            for _ in stream.text_stream:
                break
        self.assertEqual(self.create("claude-opus-4-6").content[0].text, TEXT)


class Errors(unittest.TestCase):
    def ask(self, marker, model="claude-opus-4-6", **settings):
        with client(**settings) as asking:
            return asking.messages.create(model=model, max_tokens=256, messages=said(marker))

    def test_a_wrong_key(self):
        with self.assertRaises(anthropic.AuthenticationError) as caught:
            self.ask("hello", api_key="pm_wrong")
        self.assertEqual(caught.exception.body["type"], "error")
        self.assertEqual(caught.exception.body["error"]["type"], "authentication_error")

    def test_a_model_that_nobody_serves(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.ask("hello", model="no-such-model-anywhere")
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")

    def test_a_provider_that_refuses_for_quota(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model), self.assertRaises(anthropic.RateLimitError) as caught:
                self.ask("429", model=model)
            self.assertEqual(caught.exception.body["error"]["type"], "rate_limit_error")

    def test_a_provider_that_fails(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model), self.assertRaises(anthropic.APIStatusError) as caught:
                self.ask("500", model=model)
            self.assertGreaterEqual(caught.exception.status_code, 500)

    def test_a_stream_that_breaks_off(self):
        asked = {"model": "claude-opus-4-6", "max_tokens": 256, "messages": said("cut")}
        with client() as asking, self.assertRaises(anthropic.APIError):
            with asking.messages.stream(**asked) as stream:
                for _ in stream.text_stream:
                    pass


if __name__ == "__main__":
    unittest.main(verbosity=2)
