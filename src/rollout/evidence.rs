//! What the evidence of a stage says: what is still missing for the next, and what speaks against going on.

use std::fmt;

use super::{Arm, Arms, Needs};
use crate::savings::mean_difference;
use crate::units::{Instant, Pico, counted};

/// Something that a step still lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Time: until when.
    Dwell(Instant),
    /// So many requests of the canary.
    Requests(u64),
    /// So many judged answers of the canary.
    Labels(u64),
    /// The route as it was has too few requests to compare with.
    Beside,
    /// What a request costs more than it may, at worst; its sign turned, what it keeps below.
    Cost(Pico),
    /// Too few sessions on one side to say what a request costs.
    Sessions,
    /// Of a thousand requests so many fail, and so many may.
    Errors(u64, u64),
    /// The quality alarm is not quiet.
    Alarm,
    /// An operator holds it.
    Held,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dwell(until) => write!(f, "time, until {}", until.clock()),
            Self::Requests(missing) => write!(f, "{} of the canary", counted(*missing, "request")),
            Self::Labels(missing) => {
                write!(f, "{} of the canary", counted(*missing, "judged answer"))
            }
            Self::Beside => f.write_str("requests of the route itself, to compare with"),
            Self::Cost(over) => write!(
                f,
                "proof that its cost is within the bound: it may be ${} a request above it",
                over.usd_rounded(6)
            ),
            Self::Sessions => f.write_str("30 sessions on both sides, to say what a request costs"),
            Self::Errors(is, may) => write!(f, "fewer failures: {is}‰ of requests fail, {may}‰ may"),
            Self::Alarm => f.write_str("a quiet quality alarm"),
            Self::Held => f.write_str("an operator's word: it is held"),
        }
    }
}

/// What the evidence says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is missing for the next stage; nothing where it may come.
    pub lacks: Vec<Lack>,
    /// What speaks against going on: it is taken back.
    pub broken: Option<String>,
}

/// How far apart costs have to lie to take a change back, in widths of a 95% interval: looked at again and again, one width
/// would be passed by chance too often.
const WIDTHS: i128 = 2;

pub(super) fn judge(
    (arms, needs): (&Arms, &Needs),
    (since, at): (Instant, Instant),
    is_shadow: bool,
    alarm: bool,
) -> Judged {
    let mut judged = Judged::default();
    let lacks = &mut judged.lacks;
    let until = since + needs.dwell;
    lacks.extend((at < until).then_some(Lack::Dwell(until)));
    let canary = &arms.canary;
    let missing = |need: u64, has: u64| need.checked_sub(has).filter(|missing| *missing > 0);
    lacks.extend(missing(needs.requests, canary.requests).map(Lack::Requests));
    let beside = arms.beside(needs.requests);
    lacks.extend((beside.requests == 0).then_some(Lack::Beside));
    if !is_shadow {
        lacks.extend(missing(needs.labels, canary.judged).map(Lack::Labels));
        failures(canary, beside, needs, &mut judged);
    }
    cost(canary, beside, needs, &mut judged);
    if alarm {
        judged.lacks.push(Lack::Alarm);
        judged.broken.get_or_insert(format!(
            "quality: {} of {} judged answers are unacceptable, more than {}‰",
            canary.unacceptable, canary.judged, needs.unacceptable
        ));
    }
    judged
}

fn cost(canary: &Arm, beside: &Arm, needs: &Needs, judged: &mut Judged) {
    if beside.requests == 0 {
        return;
    }
    let sides = (canary.groups(1000), beside.groups(needs.cost));
    let Some((difference, within)) = mean_difference(&sides.0, &sides.1) else {
        judged.lacks.push(Lack::Sessions);
        return;
    };
    if within.high > Pico::ZERO {
        judged.lacks.push(Lack::Cost(within.high));
    }
    let half = within.high.0.saturating_sub(difference.0);
    if difference.0 > half.saturating_mul(WIDTHS) && difference > Pico::ZERO {
        let per_thousand = |arm: &Arm| arm.per_thousand().unwrap_or_default().usd_rounded(4);
        judged.broken = Some(format!(
            "cost: ${} per 1,000 requests beside ${}, above {}% of it",
            per_thousand(canary),
            per_thousand(beside),
            as_percent(needs.cost)
        ));
    }
}

fn as_percent(thousandths: u32) -> String {
    let text = format!("{}.{}", thousandths / 10, thousandths % 10);
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

fn failures(canary: &Arm, beside: &Arm, needs: &Needs, judged: &mut Judged) {
    let (Some(is), Some(was)) = (canary.failures(), beside.failures()) else { return };
    let may = was + u64::from(needs.errors.get());
    if is > may {
        judged.lacks.push(Lack::Errors(is, may));
    }
    // In thousandths squared, with two requests more on each side, one of them failed, so that none is no proof.
    let spread = |arm: &Arm| {
        let (n, failed) = (arm.requests + 2, arm.failed + 1);
        let share = failed * 1000 / n;
        share * (1000 - share.min(1000)) / n
    };
    let over = is.saturating_sub(may);
    // Four standard errors.
    if over > 0 && over * over > 16 * (spread(canary) + spread(beside)) {
        judged.broken = Some(format!("failures: {is}‰ of requests beside {was}‰, at most {may}‰ may fail"));
    }
}
