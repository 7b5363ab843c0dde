//! What somebody may have meant: the names most like the one written.

/// The most names given.
const MOST: usize = 3;

/// Returns the names within a third of the letters of what was written, the nearest first; names that begin with it follow.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    // What is longer is no name, and comparing it would take long.
    if written.is_empty() || written.len() > 128 {
        return Vec::new();
    }
    let lower = written.to_lowercase();
    let most = (lower.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let other = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&lower, &other);
            let begins = lower.len() >= 3 && other.starts_with(&lower);
            (distance <= most || begins)
                .then_some((if begins { distance.min(most + 1) } else { distance }, name))
        })
        .collect();
    near.sort_unstable();
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_what_is_far_away_never() {
        let names = ["replay", "prices", "gpt-4.1", "gpt-4.1-mini", "gpt-5", "gemini-2.5-flash", "config"];
        let near = |written| nearest(written, names.into_iter());
        assert_eq!(near("replya"), ["replay"]);
        assert_eq!(near("gpt-4.1x")[0], "gpt-4.1");
        assert_eq!(near("gemini-2.5-flahs"), ["gemini-2.5-flash"]);
        assert_eq!(near("Conf"), ["config"]);
        assert!(near("zzz").is_empty() && near("").is_empty() && near(&"x".repeat(4096)).is_empty());
    }
}
