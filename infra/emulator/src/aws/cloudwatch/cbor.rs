//! The subset of CBOR (RFC 8949) that CloudWatch's requests and answers use, converted from and to
//! JSON.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Value};

use crate::limits::CBOR_LEVELS;

/// Members of answers that hold times. In JSON they are plain numbers, in CBOR they carry a tag.
const TIMES: [&str; 4] = [
    "Timestamps",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "AlarmConfigurationUpdatedTimestamp",
];

/// CBOR's tag for a time in seconds since 1970.
const SECONDS_SINCE_1970: Tag = Tag::new(1);

/// The bytes are not CBOR, or hold a type that no request of CloudWatch has.
#[derive(Debug, thiserror::Error)]
pub(super) enum CborError {
    #[error("{0}")]
    Decoder(#[from] minicbor::decode::Error),
    #[error("{0} is not expected in CBOR here")]
    Unexpected(Type),
    #[error("more than {CBOR_LEVELS} levels")]
    Levels,
}

/// Converts a request to JSON. Tags are ignored: a time becomes its number.
pub(super) fn read(bytes: &[u8]) -> Result<Value, CborError> {
    value(&mut Decoder::new(bytes), 0)
}

fn value(decoder: &mut Decoder<'_>, level: usize) -> Result<Value, CborError> {
    if level > CBOR_LEVELS {
        return Err(CborError::Levels);
    }
    Ok(match decoder.datatype()? {
        Type::Bool => decoder.bool()?.into(),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64()?.into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64()?.into(),
        Type::F16 | Type::F32 | Type::F64 => decoder.f64()?.into(),
        Type::String | Type::StringIndef => text(decoder)?.into(),
        Type::Tag => {
            decoder.tag()?;
            value(decoder, level + 1)?
        }
        Type::Array | Type::ArrayIndef => {
            let mut left = decoder.array()?;
            let mut list = Vec::new();
            while has_next(decoder, &mut left)? {
                list.push(value(decoder, level + 1)?);
            }
            list.into()
        }
        Type::Map | Type::MapIndef => {
            let mut left = decoder.map()?;
            let mut members = Map::new();
            while has_next(decoder, &mut left)? {
                let name = text(decoder)?;
                members.insert(name, value(decoder, level + 1)?);
            }
            members.into()
        }
        other => return Err(CborError::Unexpected(other)),
    })
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, CborError> {
    Ok(decoder.str_iter()?.collect::<Result<String, _>>()?)
}

/// Whether the list or map has another element. `left` is the number of elements left; `None` where
/// the length is not given and an end mark ends the list.
fn has_next(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, CborError> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// Encodes an answer.
pub(super) fn encode(answer: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to a `Vec` never fails.
    let _ = write(&mut encoder, answer, false);
    encoder.into_writer()
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value, time: bool) -> Written {
    match value {
        Value::Null => encoder.null()?.ok(),
        Value::Bool(value) => encoder.bool(*value)?.ok(),
        Value::Number(number) => {
            if time {
                encoder.tag(SECONDS_SINCE_1970)?;
            }
            match number.as_i64() {
                Some(number) => encoder.i64(number)?.ok(),
                None => encoder.f64(number.as_f64().unwrap_or_default())?.ok(),
            }
        }
        Value::String(text) => encoder.str(text)?.ok(),
        Value::Array(list) => {
            encoder.array(list.len() as u64)?;
            list.iter().try_for_each(|one| write(encoder, one, time))
        }
        Value::Object(members) => {
            encoder.map(members.len() as u64)?;
            members.iter().try_for_each(|(name, member)| {
                encoder.str(name)?;
                write(encoder, member, TIMES.contains(&name.as_str()))
            })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let answer = json!({
            "Id": "a", "Values": [1.5, 2.0], "Period": 60, "Low": -7, "On": true, "Off": null,
            "Timestamps": [1_700_000_000, 1_700_000_060.5], "Nested": [{ "Name": "é" }],
        });
        assert_eq!(read(&encode(&answer)).unwrap(), answer);
    }

    #[test]
    fn a_time_has_its_tag_and_a_whole_value_stays_a_float() {
        assert_eq!(
            encode(&json!({ "Timestamps": [60] })),
            [&[0xa1, 0x6a][..], b"Timestamps", &[0x81, 0xc1, 0x18, 60]].concat()
        );
        let float = [0xfb, 0x40, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(encode(&json!(2.0)), float);
    }

    #[test]
    fn what_has_no_length_is_read_to_its_end() {
        // {_ "a": [_ 1, (_ "b", "c")]}
        let bytes = [
            0xbf, 0x61, b'a', 0x9f, 1, 0x7f, 0x61, b'b', 0x61, b'c', 0xff, 0xff, 0xff,
        ];
        assert_eq!(read(&bytes).unwrap(), json!({ "a": [1, "bc"] }));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let deep = [0x81].repeat(CBOR_LEVELS + 2);
        for bytes in [
            &[][..],
            &[0x82, 1],
            &[0x41, 1],
            &[0xa1, 1, 1],
            &[0x9b],
            &deep,
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
