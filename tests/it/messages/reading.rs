//! Reads the texts that users meet out of the source: where each is made, when, and what its hint says.

use std::collections::BTreeMap;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ItemFn, Lit, LitStr, Meta};

/// A text, and where it is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    /// `module::Type::function` or `module::Type::Variant`; a further text of the same place has `#2` behind it.
    pub id: String,
    pub kind: Kind,
    pub text: String,
    /// The first sentence of the nearest comment: of the function or variant, else of its type, else of its file.
    pub when: String,
    /// The hints that are printed with it.
    pub hints: Vec<String>,
}

/// How a user meets a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Error,
    Hint,
    Log,
    Help,
    Other,
}

/// The hints of error types: of each variant, by `Type::Variant`.
pub type Hints = BTreeMap<String, Vec<String>>;

/// The texts of one source file. Tests are left out.
pub fn messages(path: &Path, source: &str, hints: &Hints) -> Vec<Message> {
    let file = syn::parse_file(source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let names: Vec<&str> = path
        .iter()
        .filter_map(|part| part.to_str())
        .skip_while(|part| *part != "src")
        .skip(1)
        .map(|part| part.trim_end_matches(".rs"))
        .filter(|part| *part != "mod")
        .collect();
    let place = names.iter().map(|&name| name.to_owned()).collect();
    let when = vec![first_sentence(&doc(&file.attrs))];
    let mut reader = Reader { place, when, found: Vec::new(), hints, said: Vec::new() };
    reader.visit_file(&file);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for message in &mut reader.found {
        let count = seen.entry(message.id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            message.id = format!("{}#{count}", message.id);
        }
    }
    reader.found
}

/// The hints that `src/cli/failure.rs` gives to the variants of error types.
pub fn hints(failures: &str) -> Hints {
    let mut reader = Arms::default();
    reader.visit_file(&syn::parse_file(failures).unwrap());
    reader.hints
}

struct Reader<'a> {
    place: Vec<String>,
    when: Vec<String>,
    found: Vec<Message>,
    hints: &'a Hints,
    /// Hints of the statement that is being read.
    said: Vec<String>,
}

impl Reader<'_> {
    fn within(&mut self, name: String, attributes: &[Attribute], read: impl FnOnce(&mut Self)) {
        if is_test(attributes) {
            return;
        }
        self.place.push(name);
        self.when.push(first_sentence(&doc(attributes)));
        read(self);
        self.place.pop();
        self.when.pop();
    }

    fn take(&mut self, kind: Kind, text: &str) {
        if !is_prose(text) {
            return;
        }
        let id = self.place.join("::");
        let when = self.when.iter().rev().find(|when| !when.is_empty()).cloned().unwrap_or_default();
        self.found.push(Message { id, kind, text: text.to_owned(), when, hints: self.said.clone() });
    }

    /// The literals of a macro's arguments, whatever it is.
    fn tokens(&mut self, kind: Kind, tokens: TokenStream) {
        let is_described = self.place.iter().any(|name| name == "kinds");
        for token in tokens {
            match token {
                // Comments of manifests' fields are their descriptions in the schemas. Others are for developers.
                TokenTree::Group(group) if is_doc(&group) && is_described => {
                    self.tokens(Kind::Help, group.stream());
                }
                TokenTree::Group(group) if is_doc(&group) => {}
                TokenTree::Group(group) => self.tokens(kind, group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(Lit::Str(text)) = syn::parse_str::<Lit>(&literal.to_string()) {
                        self.take(kind, &text.value());
                    }
                }
                _ => {}
            }
        }
    }

    /// The comments of an argument or a command are its help.
    fn help(&mut self, attributes: &[Attribute]) {
        let text = doc(attributes);
        self.take(Kind::Help, &text);
    }

    /// The text of `#[error("…")]`, and the hints of this variant.
    fn error(&mut self, owner: &str, name: &str, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("error")) {
            if let Meta::List(list) = &attribute.meta {
                self.said = self.hints.get(&format!("{owner}::{name}")).cloned().unwrap_or_default();
                self.tokens(Kind::Error, list.tokens.clone());
                self.said.clear();
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.within(item.sig.ident.to_string(), &item.attrs, |reader| {
            visit::visit_block(reader, &item.block)
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(item.sig.ident.to_string(), &item.attrs, |reader| {
            visit::visit_block(reader, &item.block)
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.within(item.sig.ident.to_string(), &item.attrs, |reader| {
            if let Some(block) = &item.default {
                visit::visit_block(reader, block);
            }
        });
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = item.self_ty.to_token_stream().to_string().replace(' ', "");
        self.within(name, &item.attrs, |reader| {
            item.items.iter().for_each(|item| reader.visit_impl_item(item));
        });
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.within(item.ident.to_string(), &item.attrs, |reader| reader.visit_expr(&item.expr));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.within(item.ident.to_string(), &item.attrs, |reader| reader.visit_expr(&item.expr));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            self.within(item.ident.to_string(), &item.attrs, |reader| visit::visit_item_mod(reader, item));
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let is_help = is_derived(&item.attrs, &["Args", "Parser", "Subcommand"]);
        self.within(item.ident.to_string(), &item.attrs, |reader| {
            reader.error("", &item.ident.to_string(), &item.attrs);
            for field in item.fields.iter().filter(|_| is_help) {
                let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                reader.within(name, &[], |reader| reader.help(&field.attrs));
            }
        });
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        let is_help = is_derived(&item.attrs, &["Subcommand", "ValueEnum"]);
        let owner = item.ident.to_string();
        self.within(owner.clone(), &item.attrs, |reader| {
            for variant in &item.variants {
                let name = variant.ident.to_string();
                reader.within(name.clone(), &variant.attrs, |reader| {
                    reader.error(&owner, &name, &variant.attrs);
                    if is_help {
                        reader.help(&variant.attrs);
                    }
                    for field in variant.fields.iter().filter(|_| is_help) {
                        reader.help(&field.attrs);
                    }
                });
            }
        });
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// What follows a failure with `.hint(…)` belongs to it.
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let method = call.method.to_string();
        if method == "expect" {
            return self.visit_expr(&call.receiver);
        }
        if method != "hint" {
            return visit::visit_expr_method_call(self, call);
        }
        let begun = self.found.len();
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        for hint in &mut self.found[begun..] {
            hint.kind = Kind::Hint;
        }
        let count = self.said.len();
        let said: Vec<String> = self.found[begun..].iter().map(|hint| hint.text.clone()).collect();
        self.said.extend(said);
        self.visit_expr(&call.receiver);
        self.said.truncate(count);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let name = call.func.to_token_stream().to_string().replace(' ', "");
        if name.ends_with("query") || name.ends_with("query_as") || name.ends_with("query_scalar") {
            return;
        }
        let begun = self.found.len();
        visit::visit_expr_call(self, call);
        if ["Failure::new", "Failure::bug", "usage", "Fault::new"].iter().any(|made| name.ends_with(made)) {
            for message in self.found[begun..].iter_mut().filter(|message| message.kind == Kind::Other) {
                message.kind = Kind::Error;
            }
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let skipped = [
            "assert",
            "assert_eq",
            "assert_ne",
            "debug_assert",
            "debug_assert_eq",
            "panic",
            "unreachable",
            "matches",
        ];
        let logs =
            ["trace", "debug", "info", "warn", "error", "event", "info_span", "debug_span", "error_span"];
        if skipped.contains(&name.as_str()) {
            return;
        }
        let kind = if logs.contains(&name.as_str()) { Kind::Log } else { Kind::Other };
        self.tokens(kind, call.tokens.clone());
    }

    fn visit_expr_lit(&mut self, literal: &'ast ExprLit) {
        if let Lit::Str(text) = &literal.lit {
            self.take(Kind::Other, &text.value());
        }
    }
}

/// The arms of a `match` over an error type, and their hints.
#[derive(Default)]
struct Arms {
    hints: Hints,
}

impl<'ast> Visit<'ast> for Arms {
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let pattern = arm.pat.to_token_stream().to_string().replace(' ', "");
        let mut within = Said::default();
        within.visit_expr(&arm.body);
        for one in pattern.split('|') {
            let name = one.split(['{', '(']).next().unwrap_or(one).trim_start_matches('&').to_owned();
            if !within.hints.is_empty() {
                self.hints.entry(name).or_default().extend(within.hints.clone());
            }
        }
        visit::visit_arm(self, arm);
    }
}

#[derive(Default)]
struct Said {
    hints: Vec<String>,
    is_hint: bool,
}

impl<'ast> Visit<'ast> for Said {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let was = self.is_hint;
        self.is_hint = was || call.method == "hint";
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        self.is_hint = was;
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        if self.is_hint && is_prose(&text.value()) {
            self.hints.push(text.value());
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        for token in call.tokens.clone() {
            if let Ok(Lit::Str(text)) = syn::parse_str::<Lit>(&token.to_string()) {
                self.visit_lit_str(&text);
            }
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string().replace(' ', "");
        text.starts_with("#[cfg(test") || text.starts_with("#[test]") || text.starts_with("#[tokio::test")
    })
}

/// Whether these are the brackets of `#[doc = "…"]`, as which a comment within a macro is read.
fn is_doc(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
}

fn is_derived(attributes: &[Attribute], names: &[&str]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        names.iter().any(|name| text.contains(name))
    })
}

/// The text of a doc comment.
fn doc(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            match &attribute.meta {
                Meta::NameValue(pair) => match &pair.value {
                    Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            }
        });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn first_sentence(text: &str) -> String {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.').to_owned()
}

/// Whether a literal is a text for people: at least two words, and no query or pattern.
fn is_prose(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_word = |word: &&&str| {
        let bare = word.trim_matches(|c: char| !c.is_alphabetic());
        bare.len() > 1 && bare.chars().all(|c| c.is_alphabetic() || "'’-".contains(c))
    };
    let keywords = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "WITH",
        "PRAGMA",
        "BEGIN",
        "COMMIT",
        "SET",
        "WHERE",
        "AND",
        "ORDER",
        "FROM",
        "VALUES",
        "ON",
        "DROP",
        "RETURNING",
        "LEFT",
        "JOIN",
        "OR",
        "UNION",
        "FOR",
        "EXISTS",
    ];
    let is_query = words.first().is_some_and(|word| keywords.contains(word))
        || text.contains("= ?")
        || text.contains("=$");
    words.iter().filter(is_word).count() > 1 && !is_query
}
