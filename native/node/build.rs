//! Links the addon as Node needs it.

fn main() {
    // On Linux this also links with `-z nodelete`: Node unloads an addon when the last worker thread that
    // loaded it ends, and a thread that is just about to end would return into unmapped code.
    napi_build::setup();
}
