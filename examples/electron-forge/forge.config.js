module.exports = {
  packagerConfig: { asar: true },
  makers: [{ name: '@electron-forge/maker-zip' }],
  // The addon is loaded by the system, which cannot look into an archive: this leaves `.node` files beside it.
  plugins: [{ name: '@electron-forge/plugin-auto-unpack-natives', config: {} }],
}
