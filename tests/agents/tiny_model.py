"""Writes a tiny language model for llama.cpp: `tiny_model.py OUT.gguf CORPUS..`.

Nothing is learnt: what comes next is a table of bigrams made up here, and one head of attention sees whether tools are
offered and whether a result has come. Offered tools it calls one that lists files (two at once where there are several),
every string it fills in is `ls`, and otherwise it says PONG. That is enough to send real tool calls, kept in form by real
grammars, over a real server's wire.
"""

import json
import sys
import tempfile
from pathlib import Path

import gguf
import numpy
from tokenizers import ByteLevelBPETokenizer

WIDTH, HEAD, HIDDEN, CONTEXT = 64, 16, 32, 131072
END, START, STOP, NEWLINE = "<|end|>", "<|im_start|>", "<|im_end|>", "Ċ"
CONTROL = [END, START, STOP]
OFFERED, RESULT, OPEN, CLOSE = "<tools>", "<tool_response>", "<tool_call>", "</tool_call>"
WHOLE = [OFFERED, RESULT, OPEN, CLOSE, "PONG", "Bash", "bash", "exec_command", "exec", "ls"]
"""Tokens of their own, so that one bigram can choose them."""

NEXT = {
    NEWLINE: ["PONG"],
    CLOSE: [STOP],
    "PONG": [STOP],
    "ls": ['"', '",', '"}', '"}}'],
    "2": ["}", "}}", ",", "]"],
}
"""What is said after these, the likeliest first; after anything else the general order holds."""

IN_GENERAL = [STOP, "ls", "Bash", "bash", "exec_command", "exec", "}", "]", '"', "2", "{", "[", CLOSE, ","]
"""What is said after any token, the likeliest first, as far as the grammar in force allows it."""

TEMPLATE = """
{%- if tools %}{{ '<|im_start|>system\\nYou may call functions. They are:\\n<tools>' }}
{%- for tool in tools %}{{ '\\n' }}{{ tool | tojson }}{% endfor %}
{{- '\\n</tools>' + ('<tools>' if tools|length > 1 else '') + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' }}{% if message.content %}{{ message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}{{ '}</tool_call>' }}
{%- endfor %}{{ '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""


def vocabulary(corpus):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train(corpus, vocab_size=4000, min_frequency=2, special_tokens=CONTROL + WHOLE)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_model(folder)
        ids = json.loads(Path(folder, "vocab.json").read_text("utf-8"))
        merges = Path(folder, "merges.txt").read_text("utf-8").splitlines()
    return sorted(ids, key=ids.get), [line for line in merges if line and not line.startswith("#version")]


def tables(tokens):
    """Embeddings and output: dimension 0 is every token's, 1 and 2 tell what attention saw, the others are NEXT's."""
    at = {token: place for place, token in enumerate(tokens)}
    embeddings = numpy.zeros((len(tokens), WIDTH), numpy.float32)
    weights = numpy.zeros((len(tokens), WIDTH), numpy.float32)
    embeddings[:, 0] = 1
    weights[:, 0] = -20
    weights[[at[token] for token in tokens if token in (END, START, OFFERED, RESULT) or token[0] in "ĠĊĉ"], 0] = -90
    for rank, token in enumerate(IN_GENERAL):
        weights[at[token], 0] = 60 - 4 * rank
    embeddings[[at[OFFERED], at[RESULT]], [3, 4]] = 1
    for dimension, (token, choices) in enumerate(NEXT.items(), start=5):
        embeddings[at[token], dimension] = 1
        for rank, choice in enumerate(choices):
            if choice in at:
                weights[at[choice], dimension] = 100 - 4 * rank
    # A call begins where an answer begins (after the line break), tools are offered, and no result is there yet. Several
    # tools are offered twice (see the template): after one call the offers still have two thirds of the attention, which is
    # enough for another call, and after two they have half, which is not.
    weights[at[OPEN], [0, 1, 5, 6]] = [-200, 240, 100, 220]
    return embeddings, weights


def attention():
    """Finds the stage: a result outweighs offers of tools and ended calls, which outweigh everything else, equally."""
    query, key = (numpy.zeros((HEAD, WIDTH), numpy.float32) for _ in range(2))
    value, output = numpy.zeros((HEAD, WIDTH), numpy.float32), numpy.zeros((WIDTH, HEAD), numpy.float32)
    # The last pair of dimensions hardly turns with position.
    query[HEAD - 2, 0] = 1
    key[HEAD - 2, [3, 6, 4]] = [4, 4, 8]
    value[0, 3] = value[1, 4] = 2 ** -2.5
    output[1, 0] = output[2, 1] = 1
    return {"attn_q": query, "attn_k": key, "attn_v": value, "attn_output": output}


def write(path, corpus):
    tokens, merges = vocabulary(corpus)
    kinds = gguf.TokenType
    kind = {token: kinds.CONTROL for token in CONTROL} | {token: kinds.USER_DEFINED for token in WHOLE}
    model = gguf.GGUFWriter(path, "llama")
    model.add_name("tiny-made-up")
    model.add_context_length(CONTEXT)
    model.add_embedding_length(WIDTH)
    model.add_block_count(1)
    model.add_feed_forward_length(HIDDEN)
    model.add_head_count(1)
    model.add_head_count_kv(1)
    model.add_key_length(HEAD)
    model.add_value_length(HEAD)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(HEAD)
    model.add_rope_freq_base(1e12)
    model.add_vocab_size(len(tokens))
    model.add_tokenizer_model("gpt2")
    model.add_tokenizer_pre("gpt-2")
    model.add_token_list(tokens)
    model.add_token_merges(merges)
    model.add_token_types([kind.get(token, kinds.NORMAL) for token in tokens])
    model.add_bos_token_id(tokens.index(END))
    model.add_eos_token_id(tokens.index(STOP))
    model.add_add_bos_token(False)
    model.add_chat_template(TEMPLATE)
    embeddings, weights = tables(tokens)
    one, none = numpy.ones(WIDTH, numpy.float32), numpy.zeros((HIDDEN, WIDTH), numpy.float32)
    model.add_tensor("token_embd.weight", embeddings)
    model.add_tensor("output.weight", weights)
    model.add_tensor("output_norm.weight", one)
    idle = {"ffn_gate": none, "ffn_up": none, "ffn_down": none.T.copy(), "attn_norm": one, "ffn_norm": one}
    for name, tensor in {**attention(), **idle}.items():
        model.add_tensor(f"blk.0.{name}.weight", tensor)
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2:])
