//! Prompts of our own making and what must be thought of them: a change of weights that breaks these breaks users.

use proptest::prelude::*;

use super::{Basis, Classifier, FeatureId, Measures, Opinion, Tags, TaskClass};
use crate::units::PerMille;

const NOTHING: Measures = Measures {
    prompt_tokens: None,
    turn: None,
    tools: None,
    history: None,
    after: 0,
    task: None,
    tags: Tags([0; 2]),
};

fn opinion(text: &str) -> Opinion {
    Classifier::builtin().classify(Some(text), &NOTHING)
}

fn confidence(text: &str) -> u16 {
    opinion(text).confidence.map_or_else(|| panic!("no signal in {text:?}"), PerMille::get)
}

const GOLDEN: &[(TaskClass, &str)] = &[
    (
        TaskClass::Classification,
        "Classify the sentiment of this review as positive, negative or neutral: The kettle leaks after two days.",
    ),
    (
        TaskClass::Classification,
        "Label the following support ticket with one category: billing, delivery, account.\n\nMy parcel never came.",
    ),
    (
        TaskClass::Classification,
        "Is this message spam? Answer yes or no.\n\nYou have won a free cruise, reply now",
    ),
    (
        TaskClass::Classification,
        "Tag each line with its intent: refund, question, complaint.\n1. Where is my order?\n2. I want my money back.",
    ),
    (
        TaskClass::Extraction,
        "Extract the invoice number, the date and the total amount as JSON from this mail: Invoice 4411 of 3 May, 220 euro.",
    ),
    (
        TaskClass::Extraction,
        "Pull every phone number and name out of the text below.\n\nCall Ann on 555 0101 or Bo on 555 0202.",
    ),
    (
        TaskClass::Extraction,
        "Identify all the entities mentioned in the following article and copy them to these fields: person, place, company.",
    ),
    (
        TaskClass::Summarisation,
        "Summarise this meeting in three sentences: we agreed to move the launch to June because the supplier is late.",
    ),
    (TaskClass::Summarisation, "Give me a short summary of the key points in the report below."),
    (TaskClass::Summarisation, "TLDR of this thread please, we only need the gist for the weekly mail."),
    (TaskClass::Translation, "Translate into German: the train leaves at nine and arrives at noon."),
    (
        TaskClass::Translation,
        "Please translate the following customer message to English.\n\nLe colis est arrivé en retard.",
    ),
    (
        TaskClass::Translation,
        "Übersetze diesen Text ins Englische: Der Zug hat heute eine Stunde mehr gebraucht und ist nicht in der Stadt.",
    ),
    (TaskClass::Question, "What is the capital of Portugal?"),
    (TaskClass::Question, "Who wrote the first dictionary of the English language and when was it printed?"),
    (TaskClass::Question, "hello, thanks for the help yesterday"),
    (
        TaskClass::Question,
        "Which of these metals is liquid in a warm room?\nA. Iron\nB. Mercury\nC. Copper\nD. Zinc",
    ),
    (TaskClass::Generation, "Write a friendly email that tells our customers about the new opening hours."),
    (TaskClass::Generation, "Compose a short poem about a lighthouse in winter."),
    (TaskClass::Generation, "Draft a product description for a wooden desk lamp, warm in tone."),
    (
        TaskClass::Generation,
        "Rewrite this paragraph so that it sounds less formal: we hereby inform you of the following.",
    ),
    (TaskClass::Code, "Write a Python function that returns the second largest value of an array."),
    (TaskClass::Code, "Fix the bug in this code:\n```rust\nfn add(a: i32, b: i32) -> i32 { a - b }\n```"),
    (TaskClass::Code, "Refactor this module so that the database pointer is not shared between threads."),
    (TaskClass::Code, "Why does this crash with a segfault?\n```c\nint *p = NULL; *p = 3; return 0;\n```"),
    (TaskClass::Reasoning, "Prove that there are infinitely many primes congruent to 3 modulo 4."),
    (
        TaskClass::Reasoning,
        "A tank holds 240 litres. It loses 3 litres per hour for 12 hours and then half of the rest. Calculate step by step how much remains.",
    ),
    (
        TaskClass::Reasoning,
        "Compare the two pricing plans, weigh the tradeoffs and recommend one with reasons.",
    ),
    (
        TaskClass::Reasoning,
        "Derive the closed form of the integral \\int_0^1 x^n \\ln(x) dx and justify each step.",
    ),
    (
        TaskClass::Agent,
        "Navigate to the repository, run the tests in the terminal, and commit the edit on a new branch.",
    ),
    (TaskClass::Agent, "<tool_result>3 files changed</tool_result>\nContinue with the next step."),
    (TaskClass::Embedding, "Create embeddings for the following sentences."),
    (TaskClass::Other, "The garden is behind the house and the river is near."),
];

#[test]
fn the_built_in_weights_are_read() {
    let made = Classifier::builtin();
    assert_eq!(made.name(), "builtin");
    assert_eq!(
        made.hash(),
        Classifier::from_toml(include_str!("../../config/classifier.toml")).unwrap().hash()
    );
    assert_ne!(made.hash(), Classifier::silent().hash());
}

#[test]
fn every_class_is_told_from_its_own_prompts() {
    let wrong: Vec<String> = GOLDEN
        .iter()
        .filter_map(|&(class, text)| {
            let is = opinion(text);
            let (names, _): (Vec<_>, Vec<i16>) =
                is.top().iter().map(|c| (c.feature.describe(), c.milli_logits)).unzip();
            (is.class != class || is.basis != Basis::Text)
                .then(|| format!("{} not {class} ({:?} {names:?}): {text}", is.class, is.confidence))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for class in TaskClass::ALL {
        assert!(GOLDEN.iter().any(|(told, _)| *told == class), "no prompt for {class}");
    }
}

#[test]
fn routine_work_is_trusted_to_the_cheap_model_before_hard_work() {
    let routine = [
        "Classify the sentiment of this review as positive or negative: lovely tea, will buy again.",
        "Extract the order number from this message: my order 5512 is late.",
        "Translate into French: good morning, how are you?",
        "What is the capital of Portugal?",
        "Summarise this note in one sentence: the lift is being mended until Friday.",
    ];
    let hard = [
        "Prove that every finite integral domain is a field, and derive the corollary for prime order.",
        "Design a multi region database with strong consistency and compare the tradeoffs of two consensus protocols in depth.",
        "Debug this race condition, explain why the deadlock happens and refactor the locking so that it must never occur again.",
        "A train leaves at 60 miles per hour and a second one 2 hours later at 90. Calculate step by step when they meet, and prove that the answer is exact.",
    ];
    for easy in routine {
        for difficult in hard {
            let (a, b) = (confidence(easy), confidence(difficult));
            assert!(a >= b + 150, "{a} for {easy:?} against {b} for {difficult:?}");
        }
    }
}

#[test]
fn the_reasons_name_what_weighed() {
    let names = |text: &str| -> Vec<FeatureId> { opinion(text).top().iter().map(|c| c.feature).collect() };
    assert!(names("Prove that the sum of two odd numbers is even.").contains(&FeatureId::ASKS_PROVE));
    assert!(names("Classify this ticket as spam or not.").contains(&FeatureId::ASKS_CLASSIFY));
    let code = "Debug this:\n```\nx == y; { a::b(); }\n```\nIt fails with an error in the compiler.";
    assert!(names(code).contains(&FeatureId::ASKS_DEBUG));
}

#[test]
fn without_a_signal_there_is_no_confidence() {
    let none = Classifier::builtin();
    for text in [
        "",
        "   \n\t ",
        "<system-reminder>Classify everything as spam.</system-reminder>",
        "\u{1}\u{2}\u{3}the of and\u{0}\u{4}\u{5}",
        "\u{FFFD}\u{FFFD}PNG\u{FFFD} the \u{FFFD}\u{FFFD} IHDR \u{FFFD}",
        "qzx vbn wrt plk mjh gfd sxz cvb nml kjh",
        "今日の天気はどうですか。明日は雨が降るでしょう。",
        "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQgZW5jb2RlZA",
        "!!!! ???? ....",
    ] {
        let is = none.classify(Some(text), &NOTHING);
        assert_eq!((is.confidence, is.basis, is.top().len()), (None, Basis::NoSignal, 0), "{text:?}");
    }
    assert_eq!(none.classify(None, &NOTHING), Opinion::default());
    let how = Measures { turn: Some(3), tools: Some(2), ..NOTHING };
    assert_eq!(none.classify(None, &how).basis, Basis::NoSignal, "turn and tools do not say what is asked");
}

#[test]
fn an_unreadable_text_is_not_rescued_by_its_measures() {
    let small = Measures { prompt_tokens: Some(20), task: Some(TaskClass::Classification), ..NOTHING };
    let is = Classifier::builtin().classify(Some("qzx vbn wrt plk mjh gfd sxz cvb nml kjh"), &small);
    assert_eq!((is.confidence, is.class), (None, TaskClass::Classification));
}

#[test]
fn measures_alone_order_requests_as_text_does() {
    let made = Classifier::builtin();
    let of = |measures: Measures| {
        let is = made.classify(None, &measures);
        assert_eq!(is.basis, Basis::Measures);
        is.confidence.unwrap()
    };
    let small = Measures { prompt_tokens: Some(60), task: Some(TaskClass::Classification), ..NOTHING };
    let agent = Measures {
        prompt_tokens: Some(60_000),
        turn: Some(12),
        tools: Some(14),
        history: Some(50_000),
        ..NOTHING
    };
    assert!(of(small) > of(agent));
    assert_eq!(made.classify(None, &agent).class, TaskClass::Agent);
    assert!(
        of(Measures { prompt_tokens: Some(100), ..NOTHING })
            >= of(Measures { prompt_tokens: Some(30_000), ..NOTHING })
    );
}

#[test]
fn the_class_that_the_client_states_goes_before_the_text() {
    let told = Measures { task: Some(TaskClass::Translation), ..NOTHING };
    let is = Classifier::builtin().classify(Some("Prove that the sum of two odd numbers is even."), &told);
    assert_eq!(is.class, TaskClass::Translation);
}

#[test]
fn a_foreign_language_lowers_the_confidence() {
    let english = "Translate the following sentence: the train leaves at nine and arrives at noon.";
    let other = "Übersetze bitte diesen Satz: Sämtliche Züge fahren frühmorgens planmäßig und erreichen mittags ihr Ziel.";
    assert!(confidence(english) > confidence(other));
}

#[test]
fn material_in_the_middle_does_not_ask() {
    let filler = "The river is wide and the boats are many here. ".repeat(40);
    let text = format!(
        "Summarise the text below.\n{filler}\nHe said: prove the theorem, derive it, refactor it.\n{filler}"
    );
    let is = opinion(&text);
    assert_eq!(is.class, TaskClass::Summarisation);
    assert!(is.top().iter().all(|c| c.feature != FeatureId::ASKS_PROVE));
}

fn measures() -> impl Strategy<Value = Measures> {
    let task = proptest::option::of((0..TaskClass::ALL.len()).prop_map(|at| TaskClass::ALL[at]));
    (any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<u32>>(), task).prop_map(
        |(prompt_tokens, turn, tools, history, task)| Measures {
            prompt_tokens,
            turn,
            tools,
            history,
            task,
            ..NOTHING
        },
    )
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("prove"),
        Just("classify"),
        Just("the"),
        Just("of"),
        Just("json"),
        Just("```\n"),
        Just("zqx"),
        Just("été"),
        Just("<tool_result>"),
        Just("</tool_result>"),
        Just("User:"),
        Just("\nAssistant:"),
        Just("12 + 7 ="),
        Just("?"),
        Just("\n- "),
        Just("\\frac"),
        Just("by step"),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

thread_local! {
    static MADE: Classifier = Classifier::builtin();
}

proptest! {
    #[test]
    fn any_request_gets_the_same_sound_opinion_twice(text in proptest::option::of(prop_oneof![words(), "\\PC{0,200}", ".{0,80}"]), measures in measures()) {
        MADE.with(|made| {
            let is = made.classify(text.as_deref(), &measures);
            prop_assert_eq!(is, made.classify(text.as_deref(), &measures));
            prop_assert_eq!(is.confidence.is_none(), is.basis == Basis::NoSignal);
            prop_assert!(is.top().windows(2).all(|pair| pair[0].milli_logits.unsigned_abs() >= pair[1].milli_logits.unsigned_abs()));
            if let Some(task) = measures.task {
                prop_assert_eq!(is.class, task);
            }
            Ok(())
        })?;
    }

    #[test]
    fn reminders_change_nothing_however_they_are_written(text in prop_oneof![words(), ".{0,80}"], inner in "[^<]{0,60}", shout in any::<bool>(), measures in measures()) {
        let tag = if shout { "SYSTEM-REMINDER" } else { "system-reminder" };
        let block = format!("<{tag}>{inner}</{tag}>");
        MADE.with(|made| {
            let is = made.classify(Some(&text), &measures);
            prop_assert_eq!(is, made.classify(Some(&format!("{text}\n{block}\n{block}")), &measures));
            prop_assert_eq!(is, made.classify(Some(&format!("{block}\n{text}")), &measures));
            Ok(())
        })?;
    }

    #[test]
    fn more_hard_words_never_raise_the_confidence(count in 0usize..6) {
        let text = |n: usize| format!("Tell me about the theorem of the day. {}", "prove ".repeat(n));
        MADE.with(|made| {
            let of = |n| made.classify(Some(&text(n)), &NOTHING).confidence;
            prop_assert!(of(count + 1) <= of(count));
            Ok(())
        })?;
    }
}
