//! What a run knows besides its numbers that hints need: which addresses refused connections, and which variables set them.

use super::Run;
use super::load::Prepared;
use crate::metrics::Snapshot;
use crate::net::code;
use crate::report::{self, Hint, HintFacts};
use crate::script::origin;

/// The hints that this run's failures give rise to.
pub fn hints(run: &Run, snapshot: &Snapshot) -> Vec<Hint> {
    let demo = run.order.demo.is_some();
    let facts = match &run.loaded.subject {
        Prepared::Script { program, .. } => HintFacts {
            refused: program
                .complaints(code::DIAL_REFUSED)
                .into_iter()
                .map(|address| (without_credentials(&address), program.variable_of(&address)))
                .collect(),
            variables: program
                .variables()
                .into_iter()
                .map(|variable| variable.name)
                .collect(),
            script: true,
            demo,
        },
        Prepared::Url(plan) => HintFacts {
            refused: vec![(without_credentials(origin(&plan.url)), None)],
            script: false,
            demo,
            ..HintFacts::default()
        },
    };
    report::hints(snapshot, &facts)
}

/// An address without what a browser would ask for.
fn without_credentials(origin: &str) -> String {
    match (origin.split_once("://"), origin.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => origin.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_credentials("http://me:pass@host:1"), "http://host:1");
        assert_eq!(without_credentials("http://host:1"), "http://host:1");
    }
}
