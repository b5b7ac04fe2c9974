// The browser comes from the machine (see scripts/setup.sh); installing the package must not download one.
module.exports = { skipDownload: true };
