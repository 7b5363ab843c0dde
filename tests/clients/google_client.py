"""The official `google-genai` package drives the gateway. What it cannot parse, no client of Gemini's could."""

import unittest

from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from setup import CHAT_MODELS, KEY, TEXT, URL

WEATHER = types.FunctionDeclaration(
    name="weather",
    description="The weather in a city",
    parameters=types.Schema(
        type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"]
    ),
)
TOOLS = [types.Tool(function_declarations=[WEATHER])]


class Person(BaseModel):
    name: str
    age: int
    languages: list[str]


def client(key=KEY):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=URL, timeout=60_000))


def asking(marker):
    return f"[[{marker}]] What is the weather in Zürich?"


def config(**more):
    off = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(automatic_function_calling=off, **more)


class Generate(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.addCleanup(self.client.close)

    def generate(self, model, contents=None, **more):
        return self.client.models.generate_content(
            model=model, contents=contents or asking("hello"), config=config(**more)
        )

    def test_a_plain_answer_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                answer = self.generate(model, system_instruction="You are brief.", max_output_tokens=256)
                self.assertEqual(answer.text, TEXT)
                self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.STOP)
                usage = answer.usage_metadata
                self.assertGreater(usage.prompt_token_count, 0)
                thoughts = usage.thoughts_token_count or 0
                self.assertEqual(
                    usage.total_token_count,
                    usage.prompt_token_count + usage.candidates_token_count + thoughts,
                )
                self.assertTrue(answer.response_id)

    def test_a_stream_from_every_dialect(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                text, usage, reasons = "", None, []
                stream = self.client.models.generate_content_stream(
                    model=model, contents=asking("hello"), config=config()
                )
                for chunk in stream:
                    for candidate in chunk.candidates or []:
                        for part in (candidate.content and candidate.content.parts) or []:
                            text += part.text or ""
                        reasons += [candidate.finish_reason] if candidate.finish_reason else []
                    usage = chunk.usage_metadata or usage
                self.assertEqual((text, reasons), (TEXT, [types.FinishReason.STOP]))
                self.assertGreater(usage.candidates_token_count, 0)

    def test_tools_there_and_back(self):
        for model in ["auto", *CHAT_MODELS]:
            with self.subTest(model=model):
                answer = self.generate(model, tools=TOOLS)
                call = answer.function_calls[0]
                self.assertEqual((call.name, call.args), ("weather", {"city": "Zürich"}))
                result = types.Part.from_function_response(name=call.name, response={"celsius": 21})
                contents = [
                    types.UserContent(asking("hello")),
                    answer.candidates[0].content,
                    types.Content(role="user", parts=[result]),
                ]
                self.assertEqual(self.generate(model, contents=contents, tools=TOOLS).text, TEXT)

    def test_tools_in_a_stream(self):
        for model in CHAT_MODELS:
            with self.subTest(model=model):
                stream = self.client.models.generate_content_stream(
                    model=model, contents=asking("hello"), config=config(tools=TOOLS)
                )
                calls = [call for chunk in stream for call in chunk.function_calls or []]
                self.assertEqual([(call.name, call.args) for call in calls], [("weather", {"city": "Zürich"})])

    def test_structured_output(self):
        for model in ["gpt-4.1", "gemini-2.5-flash", "mistral-small-2503"]:
            with self.subTest(model=model):
                answer = self.generate(model, response_mime_type="application/json", response_schema=Person)
                person = answer.parsed
                self.assertEqual((person.name, person.age, person.languages), ("Zoë", 7, ["Zoë"]))

    def test_images_travel_as_parts(self):
        dot = bytes.fromhex("89504e470d0a1a0a")
        picture = types.Part.from_bytes(data=dot, mime_type="image/png")
        for model in ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash"]:
            with self.subTest(model=model):
                self.assertEqual(self.generate(model, contents=[picture, "What is this?"]).text, TEXT)

    def test_counting_tokens(self):
        counted = self.client.models.count_tokens(model="gpt-4.1", contents=asking("hello"))
        self.assertGreater(counted.total_tokens, 5)

    def test_the_list_of_models(self):
        names = [model.name for model in self.client.models.list()]
        self.assertIn("models/auto", names)
        self.assertEqual(self.client.models.get(model="gpt-4.1").name, "models/gpt-4.1")


class Errors(unittest.TestCase):
    def ask(self, marker, model="gpt-4.1", key=KEY, stream=False):
        asking_client = client(key)
        self.addCleanup(asking_client.close)
        if not stream:
            return asking_client.models.generate_content(model=model, contents=asking(marker))
        return list(asking_client.models.generate_content_stream(model=model, contents=asking(marker)))

    def test_a_wrong_key(self):
        with self.assertRaises(errors.ClientError) as caught:
            self.ask("hello", key="pm_wrong")
        self.assertEqual((caught.exception.code, caught.exception.status), (401, "UNAUTHENTICATED"))
        self.assertNotIn("pm_wrong", str(caught.exception))

    def test_a_model_that_nobody_serves(self):
        with self.assertRaises(errors.ClientError) as caught:
            self.ask("hello", model="no-such-model-anywhere")
        self.assertEqual((caught.exception.code, caught.exception.status), (404, "NOT_FOUND"))
        self.assertIn("no-such-model-anywhere", caught.exception.message)

    def test_a_provider_that_refuses_for_quota(self):
        for model in CHAT_MODELS:
            for stream in (False, True):
                with self.subTest(model=model, stream=stream), self.assertRaises(errors.ClientError) as caught:
                    self.ask("429", model=model, stream=stream)
                self.assertEqual((caught.exception.code, caught.exception.status), (429, "RESOURCE_EXHAUSTED"))

    def test_a_provider_that_fails(self):
        with self.assertRaises(errors.ServerError):
            self.ask("500")

    def test_a_stream_that_breaks_off(self):
        with self.assertRaises(Exception):
            self.ask("cut", stream=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
