//! Figures drawn from public traces, as quantiles at 0, 5, …, 100 per cent (the ends are the 0.2nd and the 99.5th per cent).
//!
//! No row of any trace is here, only these summaries. Sources and licences:
//! - Azure: `AzureLLMInferenceTrace_code` 2023 (8,819 requests, 57 minutes), Azure Public Dataset, CC-BY-4.0; Patel et al.,
//!   "Splitwise", ISCA 2024.
//! - Mooncake: conversation trace (12,031 requests, 59 minutes), kvcache-ai/Mooncake, Apache-2.0; Qin et al., "Mooncake",
//!   FAST 2025.
//! - `BurstGPT`: 112 answered requests of releases 1 and 3, HPMLL/BurstGPT, CC-BY-4.0; Wang et al., "`BurstGPT`", KDD 2025.
//! - Agent sessions: 30,138 requests of 502 coding-agent runs, kv-cache-tester, Apache-2.0.

use super::draw::Quantiles;

/// Azure: requests of a minute against the mean minute, in per mille.
pub(super) const BURSTY_MINUTE: Quantiles = Quantiles([
    0, 0, 0, 0, 20, 145, 212, 267, 385, 541, 734, 777, 859, 1165, 1364, 1620, 1958, 2058, 2644, 2993, 3991,
]);
/// Azure: requests of six seconds against the mean of their minute, in per mille (minutes of 12 requests or more).
pub(super) const BURSTY_SLOT: Quantiles =
    Quantiles([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 169, 570, 893, 1127, 1462, 1881, 2196, 2852, 4154, 10000]);
/// Mooncake: requests of a minute against the mean minute, in per mille.
pub(super) const STEADY_MINUTE: Quantiles = Quantiles([
    716, 794, 839, 866, 886, 912, 922, 950, 978, 1007, 1018, 1027, 1059, 1069, 1069, 1086, 1103, 1122, 1149,
    1169, 1211,
]);
/// Mooncake: requests of six seconds against the mean six seconds, in per mille.
pub(super) const STEADY_SLOT: Quantiles = Quantiles([
    196, 392, 490, 589, 638, 736, 785, 834, 883, 932, 981, 1030, 1079, 1128, 1177, 1275, 1324, 1373, 1520,
    1717, 2305,
]);
/// Azure: tokens of a prompt for code.
pub(super) const CODE_PROMPT: Quantiles = Quantiles([
    9, 75, 147, 232, 386, 578, 770, 939, 1075, 1261, 1469, 1690, 1909, 2164, 2433, 2744, 3192, 3920, 5188,
    7303, 7436,
]);
/// Azure: tokens of a short completion.
pub(super) const SHORT_ANSWER: Quantiles =
    Quantiles([6, 6, 7, 7, 8, 9, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 29, 39, 55, 90, 359]);
/// Mooncake: tokens of a prompt that carries documents or a long conversation.
pub(super) const LONG_PROMPT: Quantiles = Quantiles([
    892, 901, 964, 1261, 1662, 2306, 3263, 4251, 4993, 5870, 6909, 8187, 9570, 11238, 13196, 15367, 17869,
    21464, 27367, 39550, 100_810,
]);
/// Mooncake: tokens of an answer.
pub(super) const LONG_ANSWER: Quantiles = Quantiles([
    1, 10, 24, 46, 100, 156, 213, 256, 291, 322, 350, 375, 399, 423, 447, 472, 504, 543, 597, 698, 1568,
]);
/// `BurstGPT`: tokens of a chat message with its instructions.
pub(super) const CHAT_PROMPT: Quantiles = Quantiles([
    16, 20, 26, 51, 90, 113, 176, 239, 293, 363, 414, 463, 503, 534, 609, 706, 859, 929, 1156, 1347, 1548,
]);
/// `BurstGPT`: tokens of a chat answer.
pub(super) const CHAT_ANSWER: Quantiles = Quantiles([
    2, 17, 33, 42, 45, 52, 63, 80, 108, 147, 176, 206, 224, 263, 290, 348, 384, 426, 503, 577, 1526,
]);
/// Agent sessions: calls of a sub-agent's run.
pub(super) const AGENT_TURNS: Quantiles =
    Quantiles([2, 4, 5, 6, 7, 8, 8, 10, 10, 11, 11, 11, 12, 12, 12, 13, 14, 15, 17, 19, 24]);
/// Agent sessions: tokens of a sub-agent's first prompt.
pub(super) const AGENT_FIRST: Quantiles = Quantiles([
    8876, 9044, 9484, 9518, 9593, 9838, 9869, 9903, 9933, 9976, 10165, 10183, 10735, 11651, 11687, 11710,
    11717, 12277, 13335, 16885, 18257,
]);
/// Agent sessions: tokens by which a prompt grows from one call to the next.
pub(super) const AGENT_GROWTH: Quantiles = Quantiles([
    90, 155, 194, 243, 291, 340, 391, 449, 514, 587, 683, 793, 925, 1102, 1347, 1657, 2061, 2729, 3824, 6926,
    28032,
]);
/// Agent sessions: tokens of a call's output.
pub(super) const AGENT_OUTPUT: Quantiles = Quantiles([
    19, 88, 104, 117, 127, 138, 150, 163, 178, 197, 218, 244, 274, 311, 361, 426, 513, 639, 910, 1570, 5089,
]);
/// Agent sessions: milliseconds from one call to the next (the last quantile is cut at ten minutes).
pub(super) const AGENT_GAP: Quantiles = Quantiles([
    4000, 7000, 8000, 9000, 10000, 11000, 12000, 13000, 14000, 16000, 17000, 20000, 22000, 26000, 31000,
    38000, 50000, 75000, 129_000, 289_000, 600_000,
]);
/// Agent sessions: a call's time against the straight line fitted to its output length (Claude Opus 4.6), in per mille.
pub(super) const PACE_NOISE: Quantiles = Quantiles([
    521, 669, 724, 762, 790, 815, 844, 869, 892, 918, 945, 972, 1004, 1039, 1075, 1117, 1167, 1227, 1317,
    1481, 2368,
]);
/// Agent sessions: microseconds for each output token of Claude Opus 4.6, and milliseconds before the first; fitted.
pub(super) const OPUS_PACE: (u64, u64) = (17_240, 1_793);
