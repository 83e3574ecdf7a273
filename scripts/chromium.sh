#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make sure that there is a Chromium to be driven: installs Debian's where that is possible, or says why it is not.

set -u
present() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }

why="only root can install Debian's (chromium, chromium-driver)"
if ! present && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's Chromium ..." >&2
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null
    why="apt-get could not install them (chromium, chromium-driver): see above"
fi
if ! present; then
    echo "there is no chromium with its chromedriver, and $why"
    exit 1
fi
