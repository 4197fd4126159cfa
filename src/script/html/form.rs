//! What a form would send: the values of its fields.

use ego_tree::NodeRef;
use scraper::{ElementRef, Node, Selector};

use super::Selection;

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One.
    One(String),
    /// Those chosen of a list that takes several.
    Many(Vec<String>),
}

/// A field that would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
}

impl Selection {
    /// The value of the first element as a form would send it; `None` if it has none.
    pub fn value(&self) -> Option<Value> {
        value_of(self.element()?)
    }

    /// The fields that a form would send (HTML, 4.10.22.4, without the button that was pressed): those with a name that
    /// are neither disabled nor buttons, of check boxes and radio buttons the chosen ones.
    pub fn fields(&self) -> Vec<Field> {
        let Ok(fields) = Selector::parse("input, select, textarea") else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for element in self.elements() {
            let itself = std::iter::once(element).filter(|element| fields.matches(element));
            for field in itself.chain(element.select(&fields)) {
                let Some(name) = field.attr("name").filter(|name| !name.is_empty()) else {
                    continue;
                };
                if field.attr("disabled").is_some() || !is_sent(field) {
                    continue;
                }
                let values = match value_of(field) {
                    Some(Value::One(value)) => vec![value],
                    Some(Value::Many(values)) => values,
                    None => continue,
                };
                out.extend(values.into_iter().map(|value| Field {
                    name: name.to_owned(),
                    value,
                }));
            }
        }
        out
    }
}

fn is_sent(field: ElementRef<'_>) -> bool {
    if field.value().name() != "input" {
        return true;
    }
    match field.attr("type").unwrap_or("text").to_ascii_lowercase().as_str() {
        "submit" | "button" | "reset" | "image" | "file" => false,
        "checkbox" | "radio" => field.attr("checked").is_some(),
        _ => true,
    }
}

fn value_of(element: ElementRef<'_>) -> Option<Value> {
    match element.value().name() {
        // As in the dialect: what it holds, as it is written.
        "textarea" => Some(Value::One(element.inner_html())),
        "option" => Some(Value::One(option(element))),
        "select" => {
            let mut chosen = element
                .descendants()
                .filter_map(|node: NodeRef<'_, Node>| ElementRef::wrap(node))
                .filter(|below| below.value().name() == "option" && below.attr("selected").is_some())
                .map(option);
            if element.attr("multiple").is_some() {
                return Some(Value::Many(chosen.collect()));
            }
            // A browser would take the first entry where none is chosen; the dialect takes none.
            Some(Value::One(chosen.next().unwrap_or_default()))
        }
        "input" | "button" => {
            let input = element.value().name() == "input";
            let kind = element.attr("type").unwrap_or_default();
            let unset = if input && matches!(kind, "checkbox" | "radio") {
                "on"
            } else {
                ""
            };
            Some(Value::One(element.attr("value").unwrap_or(unset).to_owned()))
        }
        _ => None,
    }
}

fn option(element: ElementRef<'_>) -> String {
    element
        .attr("value")
        .map_or_else(|| element.inner_html(), str::to_owned)
}
