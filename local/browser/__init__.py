"""A headless browser for tests and pictures: Chromium from an npm package, with its libraries and fonts."""
