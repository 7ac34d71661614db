//! `upstreamProxy`: a proxy's URL, or a function that says which proxies lead to a URL.
//!
//! The engine's threads never wait for JavaScript: they ask, and the answer comes when it comes. Whatever the
//! function does but answer, the request that asked fails, and says why: nothing goes direct by mistake.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};

use napi::bindgen_prelude::{CallbackContext, FromNapiValue, Function, PromiseRaw, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{JsValue as _, Status, ValueType};
use tabport_engine::authority::{Authority, Scheme};
use tabport_engine::{NextProxy, ProxyAnswer, ProxyList, UpstreamProxy};

use crate::argument::Argument;
use crate::error::{Failure, guard};

/// How many questions may wait for JavaScript.
const LONGEST_QUEUE: usize = 1024;

/// It does not keep the process alive (the second flag).
type Callback =
    ThreadsafeFunction<String, Unknown<'static>, String, Status, false, true, LONGEST_QUEUE>;

/// The function, for as long as the server runs.
pub(crate) struct ProxyFunction(RwLock<Option<Callback>>);

/// The `upstreamProxy` option. No failure repeats what it is: there may be a password in it.
pub(crate) fn parse(
    argument: &Argument<'_>,
) -> Result<(UpstreamProxy, Option<Arc<ProxyFunction>>), Failure> {
    const EXPECTED: &str = "a proxy's URL, or a function that gives one";
    if argument.is_function() {
        let function = ProxyFunction::new(&argument.function()?)?;
        let asked = Arc::clone(&function);
        let resolver = move |scheme, authority: &_, answer| asked.ask(scheme, authority, answer);
        return Ok((UpstreamProxy::Asked(Arc::new(resolver)), Some(function)));
    }
    let url: String = argument.parsed(EXPECTED)?;
    let proxy: NextProxy = url.parse().map_err(|reason| argument.refuse(reason))?;
    Ok((UpstreamProxy::Fixed(proxy), None))
}

impl ProxyFunction {
    fn new(function: &Function<'_, String, Unknown<'static>>) -> Result<Arc<Self>, Failure> {
        let callback = function
            .build_threadsafe_function::<String>()
            .weak::<true>()
            .max_queue_size::<LONGEST_QUEUE>()
            .build()?;
        Ok(Arc::new(Self(RwLock::new(Some(callback)))))
    }

    /// Lets go of the function, once what is queued is answered.
    pub(crate) fn close(&self) {
        let callback = self.0.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(callback);
    }

    /// An answer that is dropped on the way, because the queue is full or closed, is none.
    fn ask(&self, scheme: Scheme, authority: &Authority, answer: ProxyAnswer) {
        let callback = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(callback) = callback.as_ref() else { return };
        let mode = ThreadsafeFunctionCallMode::NonBlocking;
        callback.call_with_return_value(url(scheme, authority), mode, |returned, _| {
            let taken = guard(|| {
                match returned {
                    Ok(value) => take(value, answer)?,
                    Err(_) => answer.give(Err("the upstreamProxy function threw")),
                }
                Ok(())
            });
            taken.or(Ok(()))
        });
    }
}

/// What the function is asked about. Nobody but the origin is told more than this of a URL.
fn url(scheme: Scheme, authority: &Authority) -> String {
    let name = scheme.as_str();
    if authority.port == scheme.default_port() {
        format!("{name}://{}/", authority.host)
    } else {
        format!("{name}://{authority}/")
    }
}

fn take(value: Unknown<'static>, answer: ProxyAnswer) -> Result<(), Failure> {
    if !value.is_promise()? {
        answer.give(read(value));
        return Ok(());
    }
    // Only one of the two will be called.
    let resolved = Rc::new(Cell::new(Some(answer)));
    let rejected = Rc::clone(&resolved);
    PromiseRaw::<Unknown<'static>>::from_unknown(value)?
        .then(move |settled: CallbackContext<Unknown<'static>>| {
            give(&resolved, || read(settled.value));
            Ok(())
        })?
        .catch(move |_: CallbackContext<Unknown<'static>>| {
            give(&rejected, || Err("the upstreamProxy function's promise was rejected"));
            Ok(())
        })?;
    Ok(())
}

fn give(
    answer: &Cell<Option<ProxyAnswer>>,
    read: impl FnOnce() -> Result<ProxyList, &'static str>,
) {
    let Some(answer) = answer.take() else { return };
    // JavaScript calls this. A panic drops the answer, which is none then.
    let _ = guard(|| {
        answer.give(read());
        Ok(())
    });
}

fn read(value: Unknown<'_>) -> Result<ProxyList, &'static str> {
    const NONSENSE: &str = "the upstreamProxy function gave neither a proxy's URL nor a PAC result";
    if !matches!(value.get_type(), Ok(ValueType::String)) {
        return Err(NONSENSE);
    }
    let text = String::from_unknown(value).map_err(|_| NONSENSE)?;
    text.parse().map_err(|_| NONSENSE)
}
