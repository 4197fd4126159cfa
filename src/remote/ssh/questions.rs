//! The questions of a server (keyboard-interactive), answered.

use ssh2::{KeyboardInteractivePrompt, Prompt};

use super::prompt::{Answer, Secret, ask};

/// Answers the server's questions.
#[derive(Default)]
pub struct Asker {
    /// Who is asked for, to be shown with the question.
    pub account: String,
    /// Stands in for the first answer that is not to be shown.
    pub password: Option<Secret>,
    /// What was answered the last time, to be answered again.
    pub replay: Option<Vec<Secret>>,
    /// What was answered.
    pub given: Vec<Secret>,
    /// There was nobody to ask.
    pub nobody: bool,
    /// The one who was asked does not want to go on.
    pub cancelled: bool,
}

impl KeyboardInteractivePrompt for Asker {
    fn prompt<'a>(&mut self, _user: &str, instructions: &str, prompts: &[Prompt<'a>]) -> Vec<String> {
        prompts
            .iter()
            .map(|prompt| self.answer(instructions, prompt))
            .collect()
    }
}

impl Asker {
    fn answer(&mut self, instructions: &str, prompt: &Prompt<'_>) -> String {
        let secret = if let Some(replay) = &self.replay {
            replay.get(self.given.len()).cloned()
        } else if let Some(password) = self.password.take_if(|_| !prompt.echo) {
            Some(password)
        } else if self.nobody || self.cancelled {
            None
        } else {
            let instructions = Some(instructions).filter(|text| !text.is_empty());
            let before = instructions
                .map(|text| format!("{}\n", plain(text)))
                .unwrap_or_default();
            let question = format!("{before}({}) {}", self.account, plain(&prompt.text));
            match ask(&question, prompt.echo) {
                Answer::Given(secret) => Some(secret),
                Answer::Nobody => {
                    self.nobody = true;
                    None
                }
                Answer::Cancelled => {
                    self.cancelled = true;
                    None
                }
            }
        };
        let secret = secret.unwrap_or_else(|| Secret::new(String::new()));
        let text = secret.reveal().to_owned();
        self.given.push(secret);
        text
    }
}

/// A server's text without what could take the terminal over.
pub fn plain(text: &str) -> String {
    let keep = |c: &char| !c.is_control() || *c == '\n' || *c == '\t';
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_is_only_text() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\u{7}\u{9b}"), "a[2Jb\nc");
    }

    #[test]
    fn answers_are_given_once_and_replayed() {
        let prompt = |text: &'static str, echo| Prompt {
            text: text.into(),
            echo,
        };
        let mut first = Asker {
            password: Some(Secret::new("pw".to_owned())),
            nobody: true,
            ..Asker::default()
        };
        let answers = first.prompt(
            "u",
            "",
            &[
                prompt("Name:", true),
                prompt("Password:", false),
                prompt("Again:", false),
            ],
        );
        assert_eq!(answers, ["", "pw", ""]);
        let mut again = Asker {
            replay: Some(first.given),
            ..Asker::default()
        };
        assert_eq!(again.prompt("u", "", &[prompt("Name:", true)]), [""]);
        assert_eq!(again.prompt("u", "", &[prompt("Password:", false)]), ["pw"]);
    }
}
