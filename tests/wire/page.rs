//! The table as a page for people: `docs/translation.md`.

use std::fmt::Write as _;

use pointsman::wire::{ANSWERS, CLIENTS, Dialect, Fate, Kind, TABLES, Table, Target};

const HEAD: &str = "# Translation\n
What becomes of each member of a request when the provider speaks another dialect than the client. This page is made from
the table that the program itself goes by (`src/wire/table/`), and a test goes through every row.

- **passed**: under its own name, as it was written. A name says where it arrives instead, by its meaning.
- **left out**: left out and told, in the answer's header `pointsman-left-out` and in `pointsman why`. A value that says what
  holds anyway (`n: 1`, a penalty of 0, `store: false`) is left out without a word, and so is `null`.
- **refused**: the request is refused by the member's own name, as the answer would be wrong without it; a routed request
  goes to the next rung.
- **elsewhere**: said in the address, or by the gateway itself.

Any other member is left out and told, and so is what stands within one and has no place with the other side (`messages.name`,
`messages.citations`, `tools.strict`, `detail` of a picture). Between a client and a provider of the same dialect bytes pass as they came, but for
what a model is known to refuse (`config/parameters.toml`), which is left out and told as well (tags too: `metadata` at OpenAI without `store`, all but `user_id` of it at Anthropic, `labels` at Google's Gemini API), and for `fallbacks`, `models`, `preset`, `routingConfig` and `modelSelectionConfig`: which models may serve is for policy to say.

**A system message within the conversation** stays in its place: as a system message to servers that speak chat and to the
models of Anthropic's that take one (`takes-system` in `config/parameters.toml`), else as text of the user's in
`<system-reminder>` tags, behind what tools gave back (Gemini, Mistral, other models of Anthropic's, `older-chat` there: Qwen, Llama, DeepSeek and others, whose
templates know one system message, at the beginning). Those before the first turn become the system prompt.

**A schema** goes to Anthropic, as the form of an answer or of a strict tool's arguments, with what Anthropic takes: bounds (`minimum`, `maxLength`, `minItems` above 1, ..), forms of texts that it does not know
and further members are left out, told as `schema.NAME`, and stand in the description instead; `oneOf` goes as `anyOf`. Converse and models without structured outputs get it as an instruction, and so does
Anthropic where it has more than 24 optional members or 16 choices of types (tools are not strict where they are more than 20, or come to more than that together), refers to itself or elsewhere, lists values that have parts, or lets members have any name, which Anthropic could only answer empty, and Gemini before 3 beside tools.

**Names of tools** that not every provider takes (longer than 64 characters, dots, colons) go as names made from them; the answer calls the tool by the client's own. Calls of one id in several turns
are told apart. **The user has the first word** towards Anthropic, Gemini and Converse (a turn `...` where the assistant begins), and to Mistral's models, at whatever server, the assistant speaks between results and what the user says after them.

**Results of calls** reach Gemini in the order of their calls, as it pairs them by their places. **Thoughts and sources of Mistral's models** (`thinking`, `reference`) stay behind where another model goes on.
**Thoughts** that this gateway told go back as `reasoning_content` to models that want them before their calls (`wants-thoughts` in `config/parameters.toml`: DeepSeek, Kimi; an empty text where nothing is known, for chat clients as well) or are the better for them (`keeps-thoughts`: MiniMax, GLM, gpt-oss), and to no other.
Those that a chat client gives back itself stay, but for servers that refuse them (Groq, Cerebras). **Code fences** around JSON that was asked for in words are taken away, whole and streamed.

**Tools whose schema has a choice at the top** (`anyOf`, `oneOf`, `allOf`, `enum`, `not`) go to Anthropic and OpenAI, which refuse those, with its branches folded into one object, the choice in its description; told as `tools.schema`. What several branches say of one property may all stand there.

**Pictures** that neither their bytes nor their type make PNG, JPEG, GIF or WebP are refused by name towards Anthropic and Converse, which take no others. What bytes are is decided where they are read, so `image/jpg` goes as `image/jpeg` to everybody; film, sound and vector pictures by their address are refused.

**A request that holds nothing but a system prompt** is put as the user's turn, as many servers want one and all take it.

**A last turn by the assistant** (prefill) goes to Mistral as `prefix` and to the models of Anthropic's that go on with one, with
no blanks at its end, which they refuse. For all others (newer models of Anthropic's by a rule of `config/parameters.toml`, also
for Anthropic's own clients) the user asks in a turn after it to go on where it ends; that is told as `messages (prefill)`.

**A picture or document in a turn of the assistant's**, which another model made, goes to Gemini; all others take them from users alone:
it is left out and told as `messages (picture)`, and the conversation goes on. Citations of earlier answers are left out and told.

**Embeddings in Gemini's form** go to Gemini as they came, always as `batchEmbedContents`, and to others in OpenAI's form:
texts as `input`, `outputDimensionality` as `dimensions`, `taskType` and `title` left out and told, anything but text refused.
";

/// Returns the page that `docs/translation.md` holds.
pub(crate) fn translation_page() -> String {
    let mut page = HEAD.to_owned();
    for table in &TABLES {
        fields(&mut page, table);
        kinds(&mut page, "Tools", table.tools);
        kinds(&mut page, "Content", table.content);
    }
    answers(&mut page);
    page
}

const ANSWERED: &str = "
# Answers

What becomes of the content of an answer when the client speaks another dialect than the provider: under which name it
stands there, **left out** and told, or **not shown**. What is left out is named in `pointsman-left-out` as `answer (kind)`, in the
comment that ends a stream (its headers are out by then; Gemini's clients take no comments), in the log and in `pointsman why`; kinds that no row knows are left out as
well. Where nothing else stands in an answer it is an empty one: it does not pass its check, the next rung is asked, and where there
is none the client gets an error, not an answer of nothing.

**Citations** arrive with the stretch of text that rests on them, counted in characters (in bytes for Gemini's clients); with Anthropic's clients
they stand at the block that holds it. Such a block comes back without them when it goes to Anthropic, whose own hold an index that only it can make.
In a stream to Anthropic's clients a citation that comes after its text was closed is left out and told.

**How it ended** is put into the client's words. A turn of Anthropic's that is paused (`pause_turn`, `compaction`) is not at its end: for
that the others have but the word for an answer that was cut short (`length`, `max_output_tokens` with status `incomplete`, `MAX_TOKENS`),
after which clients go on or say so, while `stop` would let them take half a turn for the whole.

**Calls of tools whose arguments are no JSON object** never arrive as calls: whole answers are errors or escalate, streams end with an
error event in the place of their end, also between a client and a provider of one dialect, and the ledger says that the check failed; of a rung below the top, where
nobody else is asked any more, that the answer was cut, and why (`error`). So it is with calls without a name, and where Gemini or Converse says that its model went wrong
(`MALFORMED_FUNCTION_CALL`, `malformed_tool_use`): the provider is as healthy as before, and is not asked again.
";

fn answers(page: &mut String) {
    page.push_str(ANSWERED);
    for table in &ANSWERS {
        let clients: Vec<_> = CLIENTS.iter().zip(0..).filter(|(to, _)| **to != table.from).collect();
        let names: Vec<String> = clients.iter().map(|(to, _)| to.to_string()).collect();
        let _ =
            write!(page, "\n## Answers of {}\n\n| content | to {} | |\n", table.from, names.join(" | to "));
        let _ = writeln!(page, "|---|{}---|", "---|".repeat(names.len()));
        for row in table.rows {
            let _ = write!(page, "| `{}` |", row.kind);
            for (_, at) in &clients {
                let fate = row.fates.get::<usize>(*at).copied().unwrap_or(Fate::LeftOut);
                let _ = match fate {
                    Fate::As(place) => write!(page, " `{place}` |"),
                    Fate::LeftOut => write!(page, " left out |"),
                    Fate::Passed | Fate::Elsewhere | Fate::Refused => write!(page, " not shown |"),
                };
            }
            let _ = writeln!(page, " {} |", row.note);
        }
    }
}

fn fields(page: &mut String, table: &Table) {
    let targets: Vec<Target> = Target::ALL.into_iter().filter(|to| !is_own(table.from, *to)).collect();
    let names: Vec<&str> = targets.iter().map(|to| to.name()).collect();
    let _ = write!(page, "\n## {}\n\n| member | to {} | |\n", table.from, names.join(" | to "));
    let _ = writeln!(page, "|---|{}---|", "---|".repeat(names.len()));
    for row in table.rows() {
        let _ = write!(page, "| `{}` |", row.field);
        for to in &targets {
            let _ = match row.fate(*to) {
                Fate::Passed => write!(page, " passed |"),
                Fate::As(places) => write!(page, " `{}` |", places.replace('|', "` or `")),
                Fate::Elsewhere => write!(page, " elsewhere |"),
                Fate::LeftOut => write!(page, " left out |"),
                Fate::Refused => write!(page, " refused |"),
            };
        }
        let _ = writeln!(page, " {} |", row.note);
    }
}

fn kinds(page: &mut String, title: &str, kinds: &[Kind]) {
    if kinds.is_empty() {
        return;
    }
    let _ = write!(page, "\n### {title}\n\n| type | becomes | |\n|---|---|---|\n");
    for kind in kinds {
        let word = match kind.fate {
            Fate::LeftOut => "left out",
            Fate::Refused => "refused",
            Fate::Passed | Fate::As(_) | Fate::Elsewhere => "translated",
        };
        let _ = writeln!(page, "| `{}` | {word} | {} |", kind.kind, kind.note);
    }
}

/// Says whether a target speaks the client's own dialect, so that nothing is translated.
fn is_own(from: Dialect, to: Target) -> bool {
    matches!(
        (from, to),
        (Dialect::OpenAiChat, Target::Chat)
            | (Dialect::AnthropicMessages, Target::Messages)
            | (Dialect::Gemini, Target::Gemini)
    )
}
