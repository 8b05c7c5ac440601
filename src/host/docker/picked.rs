//! Parses only the wanted fields of JSON. Most of what docker prints about a container is not needed, and it prints it
//! for all of them.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer as Reader, Map, Value};
use std::borrow::Cow;
use std::fmt;

/// The names to keep in the outermost maps, one level deeper, and so on. Everything below that is kept.
pub type Names = &'static [&'static [&'static str]];

/// Parses JSON. The maps in the result have only these names.
///
/// # Errors
/// For text that is not JSON.
pub fn picked(names: Names, text: &[u8]) -> serde_json::Result<Value> {
    let mut reader = Reader::from_slice(text);
    let value = Pick(names).deserialize(&mut reader)?;
    reader.end().map(|()| value)
}

struct Pick(Names);

impl<'de> DeserializeSeed<'de> for Pick {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        if self.0.is_empty() { serde::Deserialize::deserialize(from) } else { from.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Pick {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = from.next_key::<Cow<'_, str>>()? {
            if self.0[0].contains(&&*name) {
                map.insert(name.into_owned(), from.next_value_seed(Pick(&self.0[1..]))?);
            } else {
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(map.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = from.next_element_seed(Pick(self.0))? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::picked;
    use serde_json::json;

    #[test]
    fn names_that_are_not_wanted_are_left_out_and_what_is_in_a_wanted_one_is_whole() {
        let text = r#" [{"a": {"b": {"x": [1, -1, 1.5, null, true]}, "x": 1}, "x": [{}], "b": "\u00e9"}] "#;
        let names: super::Names = &[&["a", "b"], &["b"]];
        assert_eq!(
            picked(names, text.as_bytes()).unwrap(),
            json!([{"a": {"b": {"x": [1, -1, 1.5, null, true]}}, "b": "é"}])
        );
        for broken in ["[", "[1] 2", r#"[{"x": }]"#] {
            assert!(picked(names, broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
