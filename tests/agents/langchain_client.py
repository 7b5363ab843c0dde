"""LangChain drives the gateway over each of three APIs: chat, streams, tools, structured output, an agent's loop."""

import os
import unittest

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

URL, MODELS = os.environ["POINTSMAN_URL"], os.environ["POINTSMAN_MODELS"].split()


@tool
def list_files(folder: str) -> str:
    """List the files in a folder."""
    return f"{folder}: kiwi.txt"


class Person(BaseModel):
    """Someone."""

    name: str
    age: int
    languages: list[str]


def chats():
    settings = {"max_retries": 0, "timeout": 60, "max_tokens": 400}
    for model in MODELS:
        yield f"chat completions, {model}", ChatOpenAI(
            model=model, base_url=f"{URL}/v1", api_key="none", stream_usage=True, **settings
        )
        yield f"responses, {model}", ChatOpenAI(
            model=model, base_url=f"{URL}/v1", api_key="none", use_responses_api=True, **settings
        )
        yield f"messages, {model}", ChatAnthropic(model=model, base_url=URL, api_key="none", **settings)


class LangChain(unittest.TestCase):
    def test_chat(self):
        for name, chat in chats():
            with self.subTest(name):
                answer = chat.invoke([("system", "Be brief."), ("human", "reply exactly PONG")])
                self.assertIn("PONG", answer.text)
                usage = answer.usage_metadata
                self.assertGreater(usage["input_tokens"], 0)
                self.assertEqual(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"])

    def test_stream(self):
        for name, chat in chats():
            with self.subTest(name):
                whole = None
                for piece in chat.stream("reply exactly PONG"):
                    whole = piece if whole is None else whole + piece
                self.assertIn("PONG", whole.text)
                self.assertGreater(whole.usage_metadata["output_tokens"], 0)

    def test_tools(self):
        for name, chat in chats():
            with self.subTest(name):
                bound = chat.bind_tools([list_files], tool_choice="any")
                question = HumanMessage("List the files here.")
                answer = bound.invoke([question])
                self.assertGreater(len(answer.tool_calls), 0)
                results = []
                for call in answer.tool_calls:
                    self.assertEqual(call["name"], "list_files")
                    self.assertIsInstance(call["args"]["folder"], str)
                    results.append(ToolMessage(list_files.invoke(call["args"]), tool_call_id=call["id"]))
                end = chat.bind_tools([list_files]).invoke([question, answer, *results])
                self.assertTrue(end.text.strip())

    def test_streamed_tools(self):
        for name, chat in chats():
            with self.subTest(name):
                whole = None
                for piece in chat.bind_tools([list_files], tool_choice="any").stream("List the files here."):
                    whole = piece if whole is None else whole + piece
                self.assertGreater(len(whole.tool_calls), 0)
                self.assertEqual(whole.invalid_tool_calls, [])
                for call in whole.tool_calls:
                    self.assertIsInstance(call["args"]["folder"], str)

    def test_structured_output(self):
        for name, chat in chats():
            with self.subTest(name):
                for method in ["json_schema", "function_calling"]:
                    person = chat.with_structured_output(Person, method=method).invoke("Who wrote the first program?")
                    self.assertIsInstance(person, Person, method)

    def test_an_agent_s_loop(self):
        for name, chat in chats():
            with self.subTest(name):
                agent = create_agent(chat, [list_files], system_prompt="You help with files.")
                question = "List the files in the folder src with your tool, then tell me their names."
                said = agent.invoke({"messages": [("human", question)]}, {"recursion_limit": 12})["messages"]
                self.assertTrue(any(isinstance(message, ToolMessage) for message in said), said)
                self.assertTrue(said[-1].text.strip(), said)


if __name__ == "__main__":
    unittest.main()
