//! Reports written when a run has ended: `--out junit=FILE`, `--out markdown=FILE`, `--out png=FILE`, and
//! `--report FILE` or `--out html=FILE`.
//!
//! They are not streams of samples, so they have nothing to do with the outputs that run along; they share the flag
//! because a user asks both "what shall I get, and where".

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::saved::SavedRun;
use super::{brief, html, junit, markdown, picture};

/// What kind of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Thresholds and checks as test cases, for what shows test results.
    Junit,
    /// The verdict and a few tables, for the page of a CI run.
    Markdown,
    /// A page for a browser.
    Html,
    /// The answers, for a program.
    Json,
    /// A picture, for where no page can be shown.
    Png,
}

/// A report that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSpec {
    pub kind: ReportKind,
    /// `None` is standard output.
    pub path: Option<PathBuf>,
    /// After what the file has already.
    pub append: bool,
}

/// A report that cannot be written. Found before the load starts, but for a disk that is full at the end.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report {}: {source}", path.display())]
pub struct ReportError {
    path: PathBuf,
    source: io::Error,
}

impl ReportSpec {
    /// Reads `junit=FILE` or `markdown=FILE`; `None` for what is no report. `page` is the file that collects what is shown
    /// on the page of a CI run (`GITHUB_STEP_SUMMARY`): Markdown without a file goes there, and never over what is there.
    pub fn parse(text: &str, page: Option<&str>) -> Option<ReportSpec> {
        let (kind, path) = text.split_once('=').unwrap_or((text, ""));
        let kind = match kind.trim() {
            "junit" => ReportKind::Junit,
            "markdown" => ReportKind::Markdown,
            "html" => ReportKind::Html,
            "png" => ReportKind::Png,
            _ => return None,
        };
        let page = page.filter(|page| !page.is_empty() && kind == ReportKind::Markdown);
        let path = match path.trim() {
            "" => page,
            "-" => None,
            path => Some(path),
        };
        Some(ReportSpec {
            kind,
            path: path.map(PathBuf::from),
            append: path.is_some() && path == page,
        })
    }

    /// Opens the file; what is in it stays until the report is written.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn open(&self) -> Result<ReportFile, ReportError> {
        let file = match &self.path {
            None => None,
            Some(path) => {
                let mut options = OpenOptions::new();
                let opened = options
                    .create(true)
                    .write(true)
                    .append(self.append)
                    .truncate(false)
                    .open(path);
                Some(opened.map_err(|source| ReportError {
                    path: path.clone(),
                    source,
                })?)
            }
        };
        Ok(ReportFile {
            spec: self.clone(),
            file,
        })
    }
}

/// A report that will be written.
#[derive(Debug)]
pub struct ReportFile {
    spec: ReportSpec,
    file: Option<File>,
}

impl ReportFile {
    /// Writes it.
    ///
    /// # Errors
    /// The disk is full, or gone.
    pub fn write(self, run: &SavedRun) -> Result<(), ReportError> {
        let failed = |source| ReportError {
            path: self.spec.path.clone().unwrap_or_default(),
            source,
        };
        let bytes = match self.spec.kind {
            ReportKind::Junit => junit::junit(run).into_bytes(),
            ReportKind::Markdown => markdown::markdown(run).into_bytes(),
            ReportKind::Html => html::html(run).into_bytes(),
            ReportKind::Json => brief::json(run).into_bytes(),
            ReportKind::Png => picture::picture(run).map_err(failed)?,
        };
        let Some(mut file) = self.file else {
            let mut out = io::stdout().lock();
            // A reader that has gone is no fault of ours.
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
            return Ok(());
        };
        let regular = file.metadata().is_ok_and(|found| found.is_file());
        let cut = if regular && !self.spec.append {
            file.set_len(0)
        } else {
            Ok(())
        };
        cut.and_then(|()| file.write_all(&bytes)).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_outputs() {
        let spec = |text: &str, page| ReportSpec::parse(text, page);
        assert_eq!(spec("json=x", None), None);
        assert_eq!(spec("junitx=x", None), None);
        assert_eq!(spec("png=a.png", None).unwrap().kind, ReportKind::Png);
        let junit = spec("junit=a/b.xml", Some("page.md")).unwrap();
        assert_eq!(
            (junit.kind, junit.path, junit.append),
            (ReportKind::Junit, Some("a/b.xml".into()), false)
        );
        for (text, page, path, append) in [
            ("markdown=x.md", None, Some("x.md"), false),
            ("markdown=x.md", Some("page.md"), Some("x.md"), false),
            ("markdown=page.md", Some("page.md"), Some("page.md"), true),
            ("markdown", Some("page.md"), Some("page.md"), true),
            ("markdown", Some(""), None, false),
            ("markdown", None, None, false),
            ("markdown=-", Some("page.md"), None, false),
            ("junit", Some("page.md"), None, false),
        ] {
            let found = spec(text, page).unwrap();
            assert_eq!(
                (found.path, found.append),
                (path.map(PathBuf::from), append),
                "{text} {page:?}"
            );
        }
    }
}
