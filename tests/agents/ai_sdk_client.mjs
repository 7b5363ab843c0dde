// The AI SDK drives the gateway through its three provider packages: chat, streams, tools, structured output, a loop.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const settings = { baseURL: `${process.env.POINTSMAN_URL}/v1`, apiKey: "none" };
const openai = createOpenAI(settings);
const ways = {
  responses: (model) => openai.responses(model),
  chat: (model) => openai.chat(model),
  messages: createAnthropic(settings),
  compatible: createOpenAICompatible({
    ...settings,
    name: "gateway",
    includeUsage: true,
    supportsStructuredOutputs: true,
  }),
};

const files = tool({
  description: "List the files in a folder",
  inputSchema: z.object({ folder: z.string() }),
  execute: async ({ folder }) => `${folder}: kiwi.txt`,
});
const person = z.object({ name: z.string(), age: z.number().int(), languages: z.array(z.string()) });

const common = { maxRetries: 0, maxOutputTokens: 400 };
// What the SDK warns of (settings that it leaves out by itself) is its own affair.
globalThis.AI_SDK_LOG_WARNINGS = false;

for (const [way, provider] of Object.entries(ways)) {
  for (const name of process.env.POINTSMAN_MODELS.split(" ")) {
    const model = provider(name);
    const on = `${way}, ${name}`;

    test(`chat: ${on}`, async () => {
      const answer = await generateText({ ...common, model, system: "Be brief.", prompt: "reply exactly PONG" });
      assert.match(answer.text, /PONG/);
      assert.equal(answer.finishReason, "stop");
      assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
    });

    test(`stream: ${on}`, async () => {
      const errors = [];
      const onError = ({ error }) => errors.push(error);
      const answer = streamText({ ...common, model, prompt: "reply exactly PONG", onError });
      let text = "";
      for await (const piece of answer.textStream) text += piece;
      assert.deepEqual(errors, []);
      assert.match(text, /PONG/);
      assert.ok((await answer.usage).outputTokens > 0);
    });

    test(`forced tool: ${on}`, async () => {
      const { execute, ...unexecuted } = files;
      const tools = { files: unexecuted };
      const answer = await generateText({ ...common, model, tools, toolChoice: "required", prompt: "List the files." });
      assert.ok(answer.toolCalls.length > 0);
      assert.equal(typeof answer.toolCalls[0].input.folder, "string");
      assert.equal(answer.finishReason, "tool-calls");
    });

    test(`loop: ${on}`, async () => {
      const prompt = "List the files in the folder src with your tool, then tell me their names.";
      const errors = [];
      const onError = ({ error }) => errors.push(error);
      const answer = streamText({ ...common, model, tools: { files }, stopWhen: stepCountIs(5), prompt, onError });
      const text = await answer.text;
      const steps = await answer.steps;
      assert.deepEqual(errors, []);
      assert.ok(steps.some((step) => step.toolResults.length > 0), "no tool was executed");
      assert.ok(text.trim().length > 0);
    });

    test(`structured output: ${on}`, async () => {
      const output = Output.object({ schema: person });
      const answer = await generateText({ ...common, model, output, prompt: "Who wrote the first program?" });
      assert.deepEqual(Object.keys(answer.output).sort(), ["age", "languages", "name"]);
    });
  }
}
