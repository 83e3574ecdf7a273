#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Check that Chromium and its chromedriver are installed. Install Debian's packages if possible, or print why not.

set -u
present() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }

why="only root can install the Debian packages chromium and chromium-driver"
if ! present && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium ..." >&2
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null
    why="apt-get failed to install chromium and chromium-driver, see above"
fi
if ! present; then
    echo "chromium or chromedriver not found; $why"
    exit 1
fi
