//! Operations as memory holds them: what all have side by side, what few have aside.
//!
//! Invariant: an operation comes out as it went in, to the last field; its place among what few have is its column's own
//! affair.

use std::num::NonZeroU64;

use super::{Least, Operation, PackedConfidence, Second};
use crate::classifier::{Saw, TaskClass};
use crate::pricing::{Charged, Usage};
use crate::routing::{AskId, Check, CircumstanceId, ConfidenceSource, Draw, Effort, Lot, Status};
use crate::units::{Count, Instant, KeyId, Millis, ModelId, ProjectId, SessionId, TeamId, UserId};

/// Stands for "nothing aside" and "no extra".
const NONE: u16 = u16::MAX;

/// Makes what every operation has, what few have, and the way there and back of what stands where in an operation.
macro_rules! packed {
    (
        every { $($name:ident: $kind:ty = $($at:ident).+,)* }
        few { $($rare:ident: $sort:ty = $($place:ident).+,)* }
        flags { $($flag:ident = $($set:ident).+,)* }
    ) => {
        /// What every operation has.
        #[derive(Clone, Copy, Debug)]
        struct Packed {
            $($name: $kind,)*
            extra: u16,
            aside: u16,
            flags: u8,
        }

        /// What few operations have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        struct Aside {
            $($rare: $sort,)*
            write_1h: Count,
            reasoning: Count,
        }

        impl Aside {
            fn of(operation: &Operation) -> Self {
                let Usage { write_1h, reasoning, .. } = operation.served.usage;
                let rare = |count: Count| if count == Count::ZERO { Count::UNKNOWN } else { count };
                Self {
                    $($rare: operation.$($place).+,)*
                    write_1h: rare(write_1h),
                    reasoning: rare(reasoning),
                }
            }
        }

        impl Packed {
            fn of(operation: &Operation, aside: u16) -> Self {
                let Usage { write_1h, reasoning, .. } = operation.served.usage;
                let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
                Self {
                    $($name: operation.$($at).+,)*
                    extra: u16::try_from(operation.extra).unwrap_or(NONE),
                    aside,
                    flags: $(flag(operation.$($set).+, $flag) |)*
                        flag(write_1h == Count::ZERO, NO_WRITE_1H)
                        | flag(reasoning == Count::ZERO, NO_REASONING),
                }
            }

            fn unpacked(&self, aside: &Aside) -> Operation {
                let has = |bit: u8| self.flags & bit != 0;
                let rare = |bit: u8, count: Count| if has(bit) { Count::ZERO } else { count };
                let mut operation = Operation::default();
                $(operation.$($at).+ = self.$name;)*
                $(operation.$($place).+ = aside.$rare;)*
                $(operation.$($set).+ = has($flag);)*
                operation.extra = if self.extra == NONE { Operation::NO_EXTRA } else { self.extra.into() };
                operation.served.usage.write_1h = rare(NO_WRITE_1H, aside.write_1h);
                operation.served.usage.reasoning = rare(NO_REASONING, aside.reasoning);
                operation
            }
        }
    };
}

packed! {
    every {
        at: Instant = at,
        charged: Charged = served.charged,
        input: Count = served.usage.input,
        cache_read: Count = served.usage.cache_read,
        write_5m: Count = served.usage.write_5m,
        output: Count = served.usage.output,
        latency: Millis = served.latency,
        ttft: Millis = served.ttft,
        session: SessionId = session,
        lot: Lot = lot,
        circumstance: CircumstanceId = circumstance,
        team: TeamId = team,
        project: ProjectId = project,
        user: UserId = user,
        key: KeyId = key,
        asked: ModelId = asked,
        model: ModelId = served.model,
        turn: u16 = turn,
        confidence: PackedConfidence = packed_confidence,
        draw: Draw = draw,
        status: Status = served.status,
        check: Check = served.check,
        effort: Option<Effort> = served.effort,
        source: ConfidenceSource = source,
        class: TaskClass = class,
    }
    few {
        saw: Saw = saw,
        expected: Option<NonZeroU64> = expected,
        call: u64 = call,
        ask: AskId = ask,
        least: Option<Least> = least,
        warm: Option<u32> = warm,
        second: Option<Second> = second,
        waited: u32 = served.waited,
        billed: ModelId = served.billed,
    }
    flags {
        ASSUMED = served.assumed,
        LIFETIME_ASSUMED = served.is_lifetime_assumed,
        SIMULATED = simulated,
        PINNED = pinned,
    }
}

const _: () = assert!(size_of::<Packed>() <= 80, "a million operations fit into 80 MB");

const ASSUMED: u8 = 1;
const LIFETIME_ASSUMED: u8 = 1 << 1;
const SIMULATED: u8 = 1 << 2;
const PINNED: u8 = 1 << 3;
/// No tokens were written for an hour, which is not to say that nobody knows.
const NO_WRITE_1H: u8 = 1 << 4;
/// No tokens went into reasoning, likewise.
const NO_REASONING: u8 = 1 << 5;

/// Operations side by side; at most 65,535 of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    packed: Vec<Packed>,
    asides: Vec<Aside>,
}

impl Column {
    /// Counts the operations.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// Returns when an operation arrived.
    pub(super) fn at(&self, within: usize) -> Option<Instant> {
        Some(self.packed.get(within)?.at)
    }

    /// Returns an operation.
    pub(super) fn get(&self, within: usize) -> Option<Operation> {
        let packed = self.packed.get(within)?;
        let aside = self.asides.get(usize::from(packed.aside)).copied().unwrap_or_default();
        Some(packed.unpacked(&aside))
    }

    /// Finds the operation that has an extra.
    pub(super) fn with_extra(&self, extra: usize) -> Option<usize> {
        self.packed.iter().position(|packed| packed.extra != NONE && usize::from(packed.extra) == extra)
    }

    /// Puts an operation in at a place.
    pub(super) fn insert(&mut self, within: usize, operation: &Operation) {
        let aside = self.put_aside(NONE, Aside::of(operation));
        self.packed.insert(within.min(self.packed.len()), Packed::of(operation, aside));
    }

    /// Writes an operation anew.
    pub(super) fn set(&mut self, within: usize, operation: &Operation) {
        let Some(held) = self.packed.get(within).map(|packed| packed.aside) else { return };
        let aside = self.put_aside(held, Aside::of(operation));
        if let Some(packed) = self.packed.get_mut(within) {
            *packed = Packed::of(operation, aside);
        }
    }

    /// Takes the last operation out.
    pub(super) fn pop(&mut self) -> Option<Operation> {
        let operation = self.get(self.len().checked_sub(1)?)?;
        let gap = self.packed.pop()?.aside;
        if usize::from(gap) < self.asides.len() {
            self.asides.swap_remove(usize::from(gap));
            // The last one has moved into the gap; its operation is told.
            let moved = self.asides.len();
            if let Some(owner) = self.packed.iter_mut().find(|packed| usize::from(packed.aside) == moved) {
                owner.aside = gap;
            }
        }
        Some(operation)
    }

    /// Returns memory back that growth left unused.
    pub(super) fn shrink(&mut self) {
        self.packed.shrink_to_fit();
        self.asides.shrink_to_fit();
    }

    /// Writes what few have where its operation keeps it; returns the place.
    fn put_aside(&mut self, held: u16, aside: Aside) -> u16 {
        if let Some(place) = self.asides.get_mut(usize::from(held)) {
            *place = aside;
            return held;
        }
        if aside == Aside::default() {
            return NONE;
        }
        self.asides.push(aside);
        u16::try_from(self.asides.len() - 1).unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Observed;
    use super::*;
    use crate::units::PerMille;
    use proptest::prelude::*;

    /// Makes an operation out of bits, each rare thing in a part of them.
    fn operation(bits: u64) -> Operation {
        let part = |at: u32| u32::try_from(bits.rotate_right(at) % 1000).unwrap_or(0);
        let short = |at: u32| u16::try_from(part(at)).unwrap_or(0);
        let has = |bit: u32| bits >> bit & 1 == 1;
        let count = |bit: u32, at: u32| match (has(bit), has(bit + 1)) {
            (true, true) => Count::new(u64::from(part(at))).unwrap_or_default(),
            (true, false) => Count::ZERO,
            _ => Count::UNKNOWN,
        };
        let confidence = PerMille::new(short(9));
        Operation {
            at: Instant(i64::from(part(3))),
            served: Observed {
                usage: Usage {
                    input: count(0, 5),
                    cache_read: count(2, 6),
                    write_5m: count(4, 7),
                    write_1h: count(6, 8),
                    output: count(8, 9),
                    reasoning: count(10, 10),
                },
                latency: Millis::from_option(has(12).then(|| part(11))),
                ttft: Millis::from_option(has(13).then(|| part(12))),
                waited: if has(14) { part(13) } else { 0 },
                model: ModelId(short(14)),
                billed: if has(15) { ModelId(short(15)) } else { ModelId::NONE },
                status: if has(16) { Status::Refused } else { Status::Ok },
                check: if has(17) { Check::Failed } else { Check::None },
                effort: has(18).then_some(Effort::High),
                assumed: has(19),
                is_lifetime_assumed: has(20),
                charged: if has(21) {
                    Charged::new(crate::pricing::Cost::Known(crate::units::Pico(i128::from(part(16)))))
                } else {
                    Charged::NONE
                },
            },
            session: SessionId(part(17)),
            extra: if has(22) { u32::from(short(18)) } else { Operation::NO_EXTRA },
            team: TeamId(short(19)),
            project: ProjectId(short(20)),
            user: UserId(short(21)),
            key: KeyId(short(22)),
            asked: ModelId(short(23)),
            lot: Lot::of(&part(24).to_string(), "", "", ""),
            turn: short(25),
            packed_confidence: {
                let mut sure = Operation::default();
                sure.set_confidence(confidence, ConfidenceSource::Text);
                sure.packed_confidence
            },
            source: if has(23) { ConfidenceSource::Text } else { ConfidenceSource::None },
            class: TaskClass::ALL[part(26) as usize % TaskClass::ALL.len()],
            simulated: has(24),
            pinned: has(25),
            draw: Draw::of(&part(27).to_string()),
            circumstance: CircumstanceId::default(),
            saw: Saw::default(),
            second: has(26).then(|| Second {
                confidence,
                source: ConfidenceSource::Text,
                class: TaskClass::default(),
                least: has(27).then(|| Least::of(confidence)),
            }),
            expected: NonZeroU64::new(if has(27) { u64::from(part(28)) } else { 0 }),
            warm: has(28).then(|| part(29)),
            call: if has(29) { bits } else { 0 },
            ask: if has(26) { AskId::new(u64::from(part(29)) << 20, has(27)) } else { AskId::default() },
            least: has(26).then(|| Least::of(confidence)),
        }
    }

    proptest! {
        #[test]
        fn an_operation_comes_out_as_it_went_in(
            steps in proptest::collection::vec((0u8..4, any::<u64>(), any::<usize>()), 1..200),
        ) {
            let (mut column, mut plain) = (Column::default(), Vec::new());
            for (what, bits, place) in steps {
                match what {
                    0 | 1 => {
                        let within = place % (plain.len() + 1);
                        column.insert(within, &operation(bits));
                        plain.insert(within, operation(bits));
                    }
                    2 => prop_assert_eq!(column.pop(), plain.pop()),
                    _ if plain.is_empty() => {}
                    _ => {
                        let within = place % plain.len();
                        column.set(within, &operation(bits));
                        plain[within] = operation(bits);
                    }
                }
                prop_assert_eq!(column.len(), plain.len());
            }
            for (within, operation) in plain.iter().enumerate() {
                prop_assert_eq!(column.get(within), Some(*operation));
                prop_assert_eq!(column.at(within), Some(operation.at));
            }
        }
    }
}
