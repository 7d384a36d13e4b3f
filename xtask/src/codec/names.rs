//! Kafka's names in Rust's spelling.

/// `ThrottleTimeMs` becomes `throttle_time_ms`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, &char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let starts = char.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if starts {
            snake.push('_');
        }
        snake.extend(char.to_lowercase());
    }
    if matches!(snake.as_str(), "match" | "type" | "where" | "loop" | "ref") {
        snake.push('_');
    }
    snake
}

#[cfg(test)]
mod tests {
    //! Names that have made trouble elsewhere.

    use super::snake;

    #[test]
    fn words_are_cut_at_capitals_but_not_inside_of_acronyms() {
        assert_eq!(snake("ThrottleTimeMs"), "throttle_time_ms");
        assert_eq!(snake("V3AndBelowTopics"), "v3_and_below_topics");
        assert_eq!(snake("KRaftVersion"), "k_raft_version");
        assert_eq!(snake("ACLs"), "ac_ls");
        assert_eq!(snake("Match"), "match_");
    }
}
