//! Bills: what providers say was used and is owed, by day and model.
//!
//! Invariants: what a bill does not say is unknown, not zero; an amount in another currency than dollars, or of a stretch longer
//! than a day, is refused with its line, never guessed at.

mod line;
mod page;
mod table;

pub use line::{Bill, BillLine, BillSource};
pub(super) use table::point_of;

use super::Error;
use super::input::Input;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

impl Bill {
    /// Reads a bill, plain or packed. `columns` names columns of a table that are not recognised: `model=Modell`.
    ///
    /// # Errors
    /// Where it cannot be read, or is no bill; with the line.
    pub fn open(input: &Input, columns: &[(String, String)]) -> Result<Self, Error> {
        let nothing = || Error::Bad { file: String::new(), line: 0, reason: "no file".to_owned() };
        let mut stream = input.open(0, &Arc::new(AtomicU64::new(0))).ok_or_else(nothing)??;
        stream.packed = None;
        let (name, most) = (stream.name.clone(), ("a bill larger than", "fetch it in shorter stretches"));
        let bytes = stream.all(most, &mut |_, _| Some(true))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        Self::read(&name, text.trim_start_matches('\u{feff}'), columns)
    }

    fn read(name: &str, text: &str, columns: &[(String, String)]) -> Result<Self, Error> {
        let bad =
            |line: usize, reason: String| Error::Bad { file: name.to_owned(), line: line as u64, reason };
        let mut bill = if text.trim_start().starts_with(['{', '[']) {
            page::read(text).map_err(|(line, reason)| bad(line, reason))?
        } else {
            table::read(text, columns).map_err(|(line, reason)| bad(line, reason))?
        };
        name.clone_into(&mut bill.name);
        Ok(bill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Pico;

    fn read(text: &str) -> Bill {
        Bill::read("bill", text, &[]).unwrap()
    }

    fn refused(text: &str) -> String {
        Bill::read("bill", text, &[]).unwrap_err().to_string()
    }

    fn usd(text: &str) -> Pico {
        Pico::from_usd(text).unwrap()
    }

    const ANTHROPIC: &str = r#"{"data":[
  {"starting_at":"2026-11-02T00:00:00Z","ending_at":"2026-11-03T00:00:00Z","results":[
    {"currency":"USD","amount":"123.45","workspace_id":null,"description":"Claude Sonnet 4.5 Usage - Input Tokens","cost_type":"tokens","context_window":"0-200k","model":"claude-sonnet-4-5-20250929","service_tier":"standard","token_type":"uncached_input_tokens"},
    {"currency":"USD","amount":"50.0000000000005","description":"Web Search Usage","cost_type":"web_search","model":null}]},
  {"starting_at":"2026-11-03T00:00:00Z","ending_at":"2026-11-04T00:00:00Z","results":[]}],
 "has_more":false,"next_page":null}"#;

    #[test]
    fn anthropic_writes_cents_as_text() {
        let bill = read(ANTHROPIC);
        assert_eq!((bill.source, bill.has_more), (BillSource::Anthropic, false));
        assert_eq!(bill.lines[0].model, "claude-sonnet-4-5-20250929");
        assert_eq!(bill.lines[0].amount, Some(usd("1.2345")));
        assert_eq!((bill.lines[1].model.as_str(), bill.lines[1].amount), ("web_search", Some(usd("0.5"))));
        let (first, end) = bill.days.unwrap();
        assert_eq!((first.date(), end.date()), ("2026-11-02".to_owned(), "2026-11-04".to_owned()));
    }

    #[test]
    fn anthropic_tells_usage_in_disjoint_buckets() {
        let bill = read(
            r#"{"data":[{"starting_at":"2026-11-02T05:00:00Z","ending_at":"2026-11-02T06:00:00Z","results":[{"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":500},"cache_read_input_tokens":200,"output_tokens":500,"model":"claude-haiku-4-5"}]}],"has_more":true}"#,
        );
        assert!(bill.has_more);
        let line = &bill.lines[0];
        assert_eq!(
            (line.input, line.output, line.amount, line.requests),
            (Some(3200), Some(500), None, None)
        );
        assert_eq!(line.day.date(), "2026-11-02");
    }

    #[test]
    fn openai_writes_dollars_as_numbers() {
        let bill = read(
            r#"{"object":"page","data":[{"object":"bucket","start_time":1793577600,"end_time":1793664000,"results":[
{"object":"organization.costs.result","amount":{"value":0.06,"currency":"usd"},"line_item":"gpt-4.1-2025-04-14, cached input","project_id":null},
{"object":"organization.costs.result","amount":{"value":1.5e-07,"currency":"usd"},"line_item":null}]}],"has_more":false}"#,
        );
        assert_eq!(bill.source, BillSource::OpenAi);
        assert_eq!(bill.lines[0].model, "gpt-4.1-2025-04-14");
        assert_eq!(
            (bill.lines[0].amount, bill.lines[1].amount),
            (Some(usd("0.06")), Some(usd("0.00000015")))
        );
        let bill = read(
            r#"{"object":"page","data":[{"object":"bucket","start_time":1793577600,"end_time":1793664000,"results":[{"object":"organization.usage.completions.result","input_tokens":1000,"output_tokens":500,"input_cached_tokens":800,"num_model_requests":5,"model":"gpt-4.1"}]}],"has_more":false}"#,
        );
        let line = &bill.lines[0];
        assert_eq!(
            (line.input, line.output, line.requests),
            (Some(1000), Some(500), Some(5)),
            "cached are within"
        );
    }

    #[test]
    fn tables_are_read_by_their_columns() {
        for text in [
            "Date,Model,Cost (USD)\n2026-11-02,gpt-4.1,\"1,234.50\"\n2026-11-03,gpt-4.1,$0.25\n",
            "start_time\tend_time\tamount_value\tamount_currency\tline_item\n1793577600\t1793664000\t1234.5000000000000\tusd\tgpt-4.1, input\n1793664000\t1793750400\t0.25\tusd\tgpt-4.1, output\n1793750400\t1793836800\t\t\t\n",
            "ChargePeriodStart,BilledCost,x_Model,BillingCurrency\n2026-11-02T00:00:00Z,1234.5,gpt-4.1,USD\n2026-11-03T00:00:00Z,0.25,gpt-4.1,USD\n",
        ] {
            let bill = read(text);
            let lines: Vec<_> =
                bill.lines.iter().map(|line| (line.day.date(), line.model.as_str(), line.amount)).collect();
            let first = ("2026-11-02".to_owned(), "gpt-4.1", Some(usd("1234.5")));
            assert_eq!(lines, [first, ("2026-11-03".to_owned(), "gpt-4.1", Some(usd("0.25")))], "{text}");
        }
        let own = [("day".to_owned(), "Tag".to_owned()), ("usd".to_owned(), "Betrag".to_owned())];
        let bill = Bill::read("bill", "Tag;Betrag\n2026-11-02;1,5\n", &own).unwrap();
        assert_eq!((bill.lines[0].amount, bill.lines[0].model.as_str()), (Some(usd("1.5")), ""));
        // As a spreadsheet in Europe writes it; cells with line ends in them before the amount are cells all the same.
        let bill =
            Bill::read("bill", "Notiz;Tag;Betrag\n\"=1+1\n;2\";02.11.2026;1.234,5\n\n;3 Nov 2026;2\n", &own)
                .unwrap();
        let lines: Vec<_> = bill.lines.iter().map(|line| (line.day.date(), line.amount)).collect();
        let days =
            [("2026-11-02".to_owned(), Some(usd("1234.5"))), ("2026-11-03".to_owned(), Some(usd("2")))];
        assert_eq!(lines, days);
        // What a point parts, the rest of the column tells.
        let thousand = |other: &str| format!("Tag;Betrag\n2026-11-02;1.000\n2026-11-03;{other}\n");
        for (other, want) in [("12,5", "1000"), ("1.234,56", "1000"), ("12.5", "1"), ("0.125", "1")] {
            let bill = Bill::read("bill", &thousand(other), &own).unwrap();
            assert_eq!(bill.lines[0].amount, Some(usd(want)), "{other}");
        }
        let open = Bill::read("bill", &thousand("2"), &own).unwrap_err().to_string();
        assert!(open.starts_with("bill:2: `1.000` may be"), "{open}");
        assert!(refused("date,model,cost\n02/11/2026,m,1\n").contains("may be one of two days"));
        assert!(refused("note,date,cost\n\"a\nb\",2026-11-02,many\n").starts_with("bill:2: `many`"));
        for amount in ["0,017", "12,34", "1.234,56", "1,23,456", ",5", "1,234,5"] {
            let refused = refused(&format!("date,model,cost\n2026-11-02,m,\"{amount}\"\n"));
            assert!(refused.starts_with("bill:2: ") && refused.contains("no thousands"), "{refused}");
        }
        for (amount, read_as) in
            [("-1,234.5", "-1234.5"), ("1,234,567", "1234567"), (".5", "0.5"), ("2e-3", "0.002")]
        {
            let bill = read(&format!("date,model,cost\n2026-11-02,m,\"{amount}\"\n"));
            assert_eq!(bill.lines[0].amount, Some(usd(read_as)), "{amount}");
        }
    }

    #[test]
    fn what_is_no_bill_is_refused_with_its_line() {
        let text = ANTHROPIC.replacen("\"USD\",\"amount\":\"50", "\"EUR\",\"amount\":\"50", 1);
        assert!(refused(&text).starts_with("bill:4: "), "{}", refused(&text));
        assert!(refused(&text).contains("EUR"));
        assert!(refused("{\"data\":[\n{\"starting_at\":\"soon\"}]}").starts_with("bill:2: "));
        assert!(refused("{\"error\":{\"message\":\"no\"}}").contains("data"));
        assert!(refused("date,model,cost\n2026-11-02,gpt-4.1,many\n").starts_with("bill:2: `many`"));
        assert!(refused("date,model,cost,currency\n2026-11-02,gpt-4.1,1,eur\n").contains("eur"));
        assert!(refused("when,what\n1,2\n").contains("--columns"));
        let month = "start_time,end_time,amount_value\n1793577600,1796169600,5\n";
        assert!(refused(month).contains("longer than a day"), "{}", refused(month));
    }
}
