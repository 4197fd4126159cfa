//! Which language a module's text is in, and what the engine is given for it: JavaScript as it is, TypeScript without its
//! types, CommonJS as a function that fills `exports`.

use std::path::Path;

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_parser::Parser;
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_transformer::{TransformOptions, Transformer};

/// How a module is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `import` and `export`.
    Module,
    /// `require` and `exports`.
    CommonJs,
    /// Data: a JSON file that is required.
    Json,
}

/// What the engine is given, and how to find back from it.
pub struct Translation {
    pub kind: Kind,
    /// `None` if it is the text itself.
    pub code: Option<String>,
    /// Where its parts come from, in the order of the code; none if it is the text itself.
    pub places: Vec<Place>,
}

/// Where a part of the code comes from. Lines and columns count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    code: (u32, u32),
    text: (u32, u32),
}

/// A mistake in a text: what, and where (1-based line and column).
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub at: Option<(u32, u32)>,
}

/// Whether this module is TypeScript, by its name.
pub fn is_typescript(module: &str) -> bool {
    let module = module.split(['?', '#']).next().unwrap_or(module);
    let extension = Path::new(module).extension();
    extension.is_some_and(|extension| {
        ["ts", "mts", "cts", "tsx"]
            .iter()
            .any(|known| extension == *known)
    })
}

/// What to run for this text of module `name`.
///
/// # Errors
/// TypeScript that cannot be read. Mistakes in JavaScript are left to the engine.
pub fn translate(name: &str, text: &str) -> Result<Translation, Mistake> {
    let extension = Path::new(name).extension();
    if extension.is_some_and(|extension| extension == "json") {
        return Ok(as_it_is(Kind::Json));
    }
    let typescript = is_typescript(name);
    if !typescript && !text.contains("exports") && !text.contains("require") {
        return Ok(as_it_is(Kind::Module));
    }
    let arena = Allocator::default();
    let kind = match extension.is_some_and(|extension| extension == "tsx") {
        true => SourceType::tsx(),
        false if typescript => SourceType::ts(),
        false => SourceType::unambiguous(),
    };
    let parsed = Parser::new(&arena, text, kind).parse();
    let module = parsed.module_record.has_module_syntax;
    if !typescript {
        let common = !module && parsed.diagnostics.is_empty() && !parsed.panicked;
        return Ok(as_it_is(if common { Kind::CommonJs } else { Kind::Module }));
    }
    if let Some(first) = parsed.diagnostics.first() {
        return Err(mistake(text, first));
    }
    let mut program = parsed.program;
    let scoping = SemanticBuilder::new()
        .with_enum_eval(true)
        .build(&program)
        .semantic
        .into_scoping();
    let options = TransformOptions::default();
    let done = Transformer::new(&arena, Path::new(name), &options).build_with_scoping(scoping, &mut program);
    if let Some(first) = done.diagnostics.first() {
        return Err(mistake(text, first));
    }
    let options = CodegenOptions {
        source_map_path: Some(name.into()),
        ..CodegenOptions::default()
    };
    let made = Codegen::new().with_options(options).build(&program);
    let common = !module && (text.contains("exports") || text.contains("require"));
    Ok(Translation {
        kind: if common { Kind::CommonJs } else { Kind::Module },
        code: Some(made.code),
        places: made.map.iter().flat_map(places).collect(),
    })
}

fn as_it_is(kind: Kind) -> Translation {
    Translation {
        kind,
        code: None,
        places: Vec::new(),
    }
}

fn places(map: &oxc_sourcemap::SourceMap<'_>) -> Vec<Place> {
    let tokens = map.get_tokens().map(|token| Place {
        code: (token.get_dst_line(), token.get_dst_col()),
        text: (token.get_src_line(), token.get_src_col()),
    });
    tokens.collect()
}

impl Mistake {
    /// In a sentence, with its place in the module of this name.
    pub fn said(&self, module: &str) -> String {
        match self.at {
            Some((line, column)) => format!("{} ({module}:{line}:{column})", self.message),
            None => self.message.clone(),
        }
    }
}

/// What the parser found, at its place in the text.
pub fn mistake(text: &str, found: &oxc_diagnostics::OxcDiagnostic) -> Mistake {
    let offset = found.labels.as_ref().first().map(|label| label.offset() as usize);
    let before = offset.and_then(|offset| text.get(..offset));
    Mistake {
        message: found.message.to_string(),
        at: before.map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            (line as u32, column as u32)
        }),
    }
}

/// The place in the text that this place in the code (1-based) was made from.
pub fn origin(places: &[Place], line: u32, column: u32) -> Option<(u32, u32)> {
    let code = (line.checked_sub(1)?, column.saturating_sub(1));
    let after = places.partition_point(|place| place.code <= code);
    let place = places.get(after.checked_sub(1)?)?;
    Some((place.text.0 + 1, place.text.1 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, text: &str) -> Translation {
        translate(name, text).unwrap()
    }

    #[test]
    fn a_text_is_a_module_unless_it_requires_and_exports_without_one() {
        for (text, kind) in [
            ("export default function () {}", Kind::Module),
            ("console.log(1)", Kind::Module),
            (
                "const http = require('k6/http'); export default () => {}",
                Kind::Module,
            ),
            ("// import a module\nexports.default = () => {}", Kind::CommonJs),
            ("module.exports = { a: 1 }", Kind::CommonJs),
            ("require('k6'); await 1", Kind::Module),
        ] {
            assert_eq!(code("file:///a.js", text).kind, kind, "{text}");
        }
        assert_eq!(code("file:///a.json", "[]").kind, Kind::Json);
    }

    #[test]
    fn types_go_and_places_stay() {
        let text = "import type { X } from './x';\nimport { Options } from 'k6/options';\n\
                    interface A { a: number }\n\nexport default (a: A): number => a.a!.b;\n";
        let made = code("file:///a.ts", text);
        assert_eq!(made.code.as_deref(), Some("export default (a) => a.a.b;\n"));
        let call = made.code.unwrap().find("a.a.b").unwrap() as u32;
        assert_eq!(origin(&made.places, 1, call + 1).map(|place| place.0), Some(5));
        assert_eq!(origin(&[], 1, 1), None);
    }

    #[test]
    fn a_mistake_in_typescript_has_its_place() {
        let mistake = translate("file:///a.ts", "const a: = 1;").err().unwrap();
        assert_eq!(mistake.at, Some((1, 10)), "{}", mistake.message);
    }
}
