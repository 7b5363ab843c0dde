"""The official `openai` package drives the gateway. What it cannot parse, no client of OpenAI's could."""

import json
import unittest
import urllib.request

import openai
from pydantic import BaseModel

from setup import CHAT_MODELS, KEY, TEXT, URL, said

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class Person(BaseModel):
    name: str
    age: int
    languages: list[str]


def client(**changes):
    settings = {"base_url": f"{URL}/v1", "api_key": KEY, "max_retries": 0, "timeout": 60}
    return openai.OpenAI(**{**settings, **changes})


class Chat(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.addCleanup(self.client.close)

    def test_a_plain_answer_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                answer = self.client.chat.completions.create(model=model, messages=said("hello"))
                self.assertEqual(answer.choices[0].message.content, TEXT)
                self.assertEqual(answer.choices[0].finish_reason, "stop")
                usage = answer.usage
                self.assertGreater(usage.prompt_tokens, 0)
                self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_headers_say_what_was_decided_and_what_it_cost(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model="auto", messages=said("hello"), extra_headers={"pointsman-team": "search"}
        )
        for name in ["operation", "model", "rung", "reason", "cost-usd", "policy"]:
            self.assertTrue(raw.headers.get(f"pointsman-{name}"), name)
        self.assertGreater(float(raw.headers["pointsman-cost-usd"]), 0)
        self.assertEqual(raw.parse().choices[0].message.content, TEXT)

    def test_a_stream_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                text, usage, reasons = "", None, []
                stream = self.client.chat.completions.create(
                    model=model, messages=said("hello"), stream=True, stream_options={"include_usage": True}
                )
                for chunk in stream:
                    for choice in chunk.choices:
                        text += choice.delta.content or ""
                        reasons += [choice.finish_reason] if choice.finish_reason else []
                    usage = chunk.usage or usage
                self.assertEqual((text, reasons), (TEXT, ["stop"]))
                self.assertGreater(usage.completion_tokens, 0)

    def test_a_stream_tells_no_usage_to_those_who_did_not_ask(self):
        stream = self.client.chat.completions.create(model="gpt-4.1", messages=said("hello"), stream=True)
        for chunk in stream:
            self.assertTrue(chunk.choices)
            self.assertIsNone(chunk.usage)

    def test_tools_there_and_back(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                messages = said("hello")
                answer = self.client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
                self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
                call = answer.choices[0].message.tool_calls[0]
                self.assertEqual(call.function.name, "weather")
                self.assertEqual(json.loads(call.function.arguments), {"city": "Zürich"})
                messages += [
                    answer.choices[0].message.model_dump(exclude_none=True),
                    {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
                ]
                answer = self.client.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
                self.assertEqual(answer.choices[0].message.content, TEXT)

    def test_tools_in_a_stream(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model):
                stream = self.client.chat.completions.create(
                    model=model, messages=said("hello"), tools=[WEATHER], stream=True
                )
                name, arguments, reasons = "", "", []
                for chunk in stream:
                    for choice in chunk.choices:
                        for call in choice.delta.tool_calls or []:
                            name += call.function.name or ""
                            arguments += call.function.arguments or ""
                        reasons += [choice.finish_reason] if choice.finish_reason else []
                self.assertEqual((name, reasons), ("weather", ["tool_calls"]))
                self.assertEqual(json.loads(arguments), {"city": "Zürich"})

    def test_structured_output(self):
        for model in ["gpt-4.1", "gemini-2.5-flash", "mistral-small-2503"]:
            with self.subTest(model=model):
                answer = self.client.chat.completions.parse(
                    model=model, messages=said("hello"), response_format=Person
                )
                person = answer.choices[0].message.parsed
                self.assertEqual((person.name, person.age, person.languages), ("Zoë", 7, ["Zoë"]))

    def test_several_choices_and_fields_that_nobody_knows(self):
        answer = self.client.chat.completions.create(
            model="gpt-4.1", messages=said("hello"), n=3, seed=7, stop=["end"], logprobs=True,
            extra_body={"brand_new_field": {"kept": True}},
        )
        self.assertEqual(len(answer.choices), 3)

    def test_images_travel_as_parts(self):
        dot = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": dot}}]
        for model in ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash"]:
            with self.subTest(model=model):
                answer = self.client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": parts}]
                )
                self.assertEqual(answer.choices[0].message.content, TEXT)

    def test_leaving_in_the_middle_of_a_stream(self):
        stream = self.client.chat.completions.create(model="gpt-4.1", messages=said("endless"), stream=True)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        stream.close()
        answer = self.client.chat.completions.create(model="gpt-4.1", messages=said("hello"))
        self.assertEqual(answer.choices[0].message.content, TEXT)


class Others(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.addCleanup(self.client.close)

    def test_responses(self):
        for model in ["auto", "gpt-4.1"]:
            with self.subTest(model=model):
                answer = self.client.responses.create(model=model, input="What is the weather in Zürich?")
                self.assertEqual(answer.output_text, TEXT)
                self.assertGreater(answer.usage.output_tokens, 0)

    def test_responses_in_a_stream(self):
        text, completed = "", None
        for event in self.client.responses.create(model="gpt-4.1", input="hello", stream=True):
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.completed":
                completed = event.response
        self.assertEqual(text, TEXT)
        self.assertEqual(completed.output_text, TEXT)
        self.assertGreater(completed.usage.input_tokens, 0)

    def test_responses_call_tools(self):
        tool = {"type": "function", "name": "weather", "parameters": WEATHER["function"]["parameters"], "strict": True}
        answer = self.client.responses.create(model="gpt-4.1", input="hello", tools=[tool])
        call = next(item for item in answer.output if item.type == "function_call")
        self.assertEqual((call.name, json.loads(call.arguments)), ("weather", {"city": "Zürich"}))

    def test_embeddings(self):
        answer = self.client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
        self.assertEqual([row.index for row in answer.data], [0, 1])
        self.assertEqual(list(answer.data[0].embedding), [0.5, -0.25, 0.125])
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_completions(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                answer = self.client.completions.create(model=model, prompt="[[hello]] Once", max_tokens=256, echo=True)
                self.assertEqual(answer.choices[0].text, "[[hello]] Once" + TEXT)
                self.assertEqual(answer.choices[0].finish_reason, "stop")
                self.assertGreater(answer.usage.completion_tokens, 0)

    def test_completions_in_a_stream(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model):
                text, usage, reasons = "", None, []
                stream = self.client.completions.create(
                    model=model, prompt="[[hello]] Once", max_tokens=256, stream=True,
                    stream_options={"include_usage": True},
                )
                for chunk in stream:
                    for choice in chunk.choices:
                        text += choice.text
                        reasons += [choice.finish_reason] if choice.finish_reason else []
                    usage = chunk.usage or usage
                self.assertEqual((text, reasons), (TEXT, ["stop"]))
                self.assertGreater(usage.completion_tokens, 0)

    def test_the_list_of_models(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn("auto", models)
        self.assertIn("gpt-4.1", models)

    def test_feedback_on_an_operation(self):
        raw = self.client.chat.completions.with_raw_response.create(model="auto", messages=said("hello"))
        operation = raw.headers["pointsman-operation"]
        body = json.dumps({"operation": operation, "quality": 0.9}).encode()
        request = urllib.request.Request(
            f"{URL}/v1/feedback", body,
            {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertIn(answer.status, (200, 201, 202, 204))


class Errors(unittest.TestCase):
    def ask(self, marker, model="gpt-4.1", **settings):
        with client(**settings) as asking:
            return asking.chat.completions.create(model=model, messages=said(marker))

    def test_a_wrong_key(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.ask("hello", api_key="pm_wrong")
        self.assertEqual(caught.exception.status_code, 401)
        self.assertNotIn("pm_wrong", str(caught.exception))

    def test_a_model_that_nobody_serves(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.ask("hello", model="no-such-model-anywhere")
        self.assertIn("no-such-model-anywhere", str(caught.exception))
        self.assertTrue(caught.exception.body["message"])

    def test_a_request_that_makes_no_sense(self):
        with client() as asking, self.assertRaises(openai.BadRequestError):
            asking.post("/chat/completions", body={"model": "gpt-4.1"}, cast_to=object)

    def test_a_provider_that_refuses_for_quota(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model), self.assertRaises(openai.RateLimitError):
                self.ask("429", model=model)

    def test_a_provider_that_fails(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model), self.assertRaises(openai.InternalServerError):
                self.ask("500", model=model)

    def test_a_provider_that_rejects(self):
        with self.assertRaises(openai.BadRequestError):
            self.ask("400")

    def test_a_stream_that_breaks_off(self):
        with client() as asking:
            text = ""
            with self.assertRaises(openai.APIError):
                stream = asking.chat.completions.create(model="gpt-4.1", messages=said("cut"), stream=True)
                for chunk in stream:
                    text += (chunk.choices and chunk.choices[0].delta.content) or ""
            self.assertTrue(TEXT.startswith(text) and text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
