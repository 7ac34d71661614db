//! Promises for what may block: it runs on a short-lived thread of its own.

use std::thread;

use napi::Env;
use napi::bindgen_prelude::{JsValue, PromiseRaw, ToNapiValue};

use crate::error::{Failure, guard};

/// A promise of what `work` returns, which runs on a thread with this name.
pub(crate) fn in_background<'env, T>(
    env: &'env Env,
    name: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> napi::Result<PromiseRaw<'env, T>>
where
    T: ToNapiValue + Send + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    let unstarted = deferred.clone();
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let result = guard(work);
        // The error is made where the environment is at hand: that is how it gets its `code`.
        deferred.resolve(move |env| result.map_err(|failure: Failure| failure.into_js(env)));
    });
    if let Err(error) = spawned {
        unstarted.reject(Failure::internal(&error).into_js(*env));
    }
    Ok(PromiseRaw::new(env.raw(), promise.raw()))
}

/// A promise that is rejected already.
pub(crate) fn rejected<T>(env: &Env, failure: Failure) -> napi::Result<PromiseRaw<'_, T>>
where
    T: ToNapiValue,
{
    PromiseRaw::reject(env, failure.into_js(*env))
}
