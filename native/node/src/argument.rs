//! Reads what JavaScript passed in, and says which argument is wrong and why.
//!
//! Nothing about the value is trusted: it may be of any type, a getter may throw, a proxy may answer
//! differently each time. So each value is read once, and a path such as `options.timeouts.connect` goes
//! with it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::ptr;
use std::str::FromStr;

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, JsValue, Object, Unknown};
use napi::{ValueType, sys};

use crate::error::{Failure, INVALID_ARGUMENT};

/// A value and what it is called.
pub(crate) struct Argument<'env> {
    path: String,
    value: Unknown<'env>,
    code: &'static str,
}

/// The members of an object argument.
pub(crate) struct Fields<'env> {
    argument: Argument<'env>,
    object: Object<'env>,
}

impl<'env> Argument<'env> {
    pub(crate) fn new(path: impl Into<String>, value: Unknown<'env>) -> Self {
        Self { path: path.into(), value, code: INVALID_ARGUMENT }
    }

    /// The code that what is wrong here is reported with.
    pub(crate) fn with_code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    /// Leaves out what is `undefined`.
    pub(crate) fn present(self) -> Option<Self> {
        (self.value_type() != ValueType::Undefined).then_some(self)
    }

    pub(crate) fn boolean(&self) -> Result<bool, Failure> {
        self.read(ValueType::Boolean, "a boolean")
    }

    pub(crate) fn string(&self) -> Result<String, Failure> {
        self.read(ValueType::String, "a string")
    }

    /// A string that no failure may show, nor what is given in its place.
    pub(crate) fn secret(&self) -> Result<String, Failure> {
        if self.value_type() != ValueType::String {
            return Err(self.refuse("must be a string"));
        }
        self.string()
    }

    /// A string that parses.
    pub(crate) fn parsed<T: FromStr>(&self, expected: &str) -> Result<T, Failure> {
        let text: String = self.read(ValueType::String, expected)?;
        text.parse().map_err(|_| self.unexpected(expected))
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u32>) -> Result<u32, Failure> {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        let number: f64 = self.read(ValueType::Number, &expected)?;
        let bounds = f64::from(*range.start())..=f64::from(*range.end());
        if number.fract() != 0.0 || !bounds.contains(&number) {
            return Err(self.unexpected(&expected));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a whole number within the range of u32"
        )]
        Ok(number as u32)
    }

    pub(crate) fn port(&self, range: RangeInclusive<u16>) -> Result<u16, Failure> {
        let port = self.integer(u32::from(*range.start())..=u32::from(*range.end()))?;
        u16::try_from(port).map_err(|error| Failure::internal(&error))
    }

    pub(crate) fn is_function(&self) -> bool {
        self.value_type() == ValueType::Function
    }

    pub(crate) fn function<T: FromNapiValue>(&self) -> Result<T, Failure> {
        self.read(ValueType::Function, "a function")
    }

    /// An object with no members but the known ones.
    pub(crate) fn object(self, known: &[&str]) -> Result<Fields<'env>, Failure> {
        let fields = self.members()?;
        match fields.keys()?.iter().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(fields.argument.refuse(format!(
                "has an unknown member {key:?}; its members are {}",
                known.join(", ")
            ))),
            None => Ok(fields),
        }
    }

    /// An object whose members have names of the caller's choice. A `Map`, whose entries are no members,
    /// must not pass for an empty one.
    pub(crate) fn record(self) -> Result<Fields<'env>, Failure> {
        let fields = self.members()?;
        if !fields.is_plain() {
            return Err(fields.argument.unexpected("a plain object"));
        }
        Ok(fields)
    }

    /// An array of strings. How many there may be is bounded, because a proxy can claim any length.
    pub(crate) fn strings(self) -> Result<Vec<String>, Failure> {
        const EXPECTED: &str = "an array of strings";
        const MOST: u32 = 1024;
        let object: Object<'env> = self.read(ValueType::Object, EXPECTED)?;
        if !matches!(object.is_array(), Ok(true)) {
            return Err(self.unexpected(EXPECTED));
        }
        let array = Fields { argument: self, object };
        let length = array.require("length")?.integer(0..=MOST)?;
        (0..length).map(|at| array.entry(at)?.string()).collect()
    }

    fn members(self) -> Result<Fields<'env>, Failure> {
        const EXPECTED: &str = "an object";
        let object: Object<'env> = self.read(ValueType::Object, EXPECTED)?;
        match object.is_array() {
            Ok(false) => Ok(Fields { argument: self, object }),
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    /// The failure of this argument, for a reason that reads on from its path.
    pub(crate) fn refuse(&self, reason: impl Display) -> Failure {
        Failure::new(self.code, format!("{} {reason}", self.path))
    }

    pub(crate) fn unexpected(&self, expected: &str) -> Failure {
        self.refuse(format!("must be {expected}, not {}", self.describe()))
    }

    fn read<T: FromNapiValue>(&self, wanted: ValueType, expected: &str) -> Result<T, Failure> {
        if self.value_type() != wanted {
            return Err(self.unexpected(expected));
        }
        Ok(T::from_unknown(self.value)?)
    }

    fn value_type(&self) -> ValueType {
        self.value.get_type().unwrap_or(ValueType::Unknown)
    }

    /// What the value is, short enough for a message.
    fn describe(&self) -> String {
        const LONGEST: usize = 60;
        match self.value_type() {
            ValueType::Undefined => "undefined".to_owned(),
            ValueType::Null => "null".to_owned(),
            ValueType::Boolean => self.show(|value: bool| value.to_string()),
            ValueType::Number => self.show(number_to_string),
            ValueType::String => self.show(|text: String| match text.char_indices().nth(LONGEST) {
                Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
                None => format!("{text:?}"),
            }),
            ValueType::Function => "a function".to_owned(),
            ValueType::Symbol => "a symbol".to_owned(),
            ValueType::Object => self.show(|object: Object<'env>| match object.is_array() {
                Ok(true) => "an array".to_owned(),
                _ => "an object".to_owned(),
            }),
            _ => "a value of another type".to_owned(),
        }
    }

    fn show<T: FromNapiValue>(&self, show: impl FnOnce(T) -> String) -> String {
        T::from_unknown(self.value).map_or_else(|_| "something else".to_owned(), show)
    }
}

impl<'env> Fields<'env> {
    /// A member, unless it is `undefined`.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Argument<'env>>, Failure> {
        let path = format!("{}.{name}", self.argument.path);
        self.get_as(name, path)
    }

    /// A member that must be there.
    pub(crate) fn require(&self, name: &str) -> Result<Argument<'env>, Failure> {
        let missing = || self.argument.refuse(format!("has no {name}"));
        self.get(name)?.ok_or_else(missing)
    }

    /// All members but those that are `undefined`, with their names.
    pub(crate) fn entries(&self) -> Result<Vec<(String, Argument<'env>)>, Failure> {
        let mut entries = Vec::new();
        for key in self.keys()? {
            let path = format!("{}[{key:?}]", self.argument.path);
            if let Some(value) = self.get_as(&key, path)? {
                entries.push((key, value));
            }
        }
        Ok(entries)
    }

    /// What stands in this place of an array.
    fn entry(&self, at: u32) -> Result<Argument<'env>, Failure> {
        let path = format!("{}[{at}]", self.argument.path);
        let missing = || self.argument.refuse(format!("has nothing at {at}"));
        self.get_as(&at.to_string(), path)?.ok_or_else(missing)
    }

    fn get_as(&self, name: &str, path: String) -> Result<Option<Argument<'env>>, Failure> {
        let code = self.argument.code;
        match self.object.get::<Unknown<'env>>(name) {
            Ok(value) => Ok(value.map(|value| Argument { path, value, code })),
            Err(_) => Err(Failure::new(code, format!("{path} cannot be read"))
                .caused_by(self.take_exception())),
        }
    }

    /// Whether its prototype is that of an object literal, from whichever realm, or null.
    fn is_plain(&self) -> bool {
        let prototype = |value: Unknown<'env>| match value.get_type()? {
            ValueType::Null => Ok(value),
            _ => Object::from_unknown(value)?.get_prototype(),
        };
        let second = self.object.get_prototype().and_then(prototype);
        second.and_then(|end| end.get_type()).is_ok_and(|end| end == ValueType::Null)
    }

    fn keys(&self) -> Result<Vec<String>, Failure> {
        self.own_keys()
            .map_err(|_| self.argument.refuse("cannot be read").caused_by(self.take_exception()))
    }

    /// Without what a prototype adds: `Object.prototype` may have been extended.
    fn own_keys(&self) -> napi::Result<Vec<String>> {
        let mut own = Vec::new();
        for key in Object::keys(&self.object)? {
            if self.object.has_own_property(&key)? {
                own.push(key);
            }
        }
        Ok(own)
    }

    /// What a getter or a proxy has thrown. Until it is taken, no other call into JavaScript works.
    fn take_exception(&self) -> Option<napi::Error> {
        let env = self.object.value().env;
        let mut exception = ptr::null_mut();
        // SAFETY: the environment is the one this object lives in, and this is its thread.
        let taken = unsafe { sys::napi_get_and_clear_last_exception(env, &raw mut exception) };
        if taken != sys::Status::napi_ok {
            return None;
        }
        // SAFETY: the call above succeeded, so `exception` is a value of `env`.
        let exception = unsafe { Unknown::from_raw_unchecked(env, exception) };
        Some(napi::Error::from_unknown_without_coercion(exception))
    }
}

/// A number as JavaScript writes it, near enough.
fn number_to_string(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if number.abs() < 1e21 { number.to_string() } else { format!("{number:e}") }
}
