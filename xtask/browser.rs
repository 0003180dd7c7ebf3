//! A Chrome and its driver: what CHROME and CHROMEDRIVER name, what PATH holds, the usual places, or,
//! as root on Debian, what apt installs.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Failure, Result, announce, capture, on_path, run};

#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chrome: PathBuf,
    pub(crate) driver: PathBuf,
}

const CHROME_NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

const CHROME_PLACES: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];

const NO_CHROME: &str = "The browser tests need a Chrome or Chromium: install one, or set CHROME to its program.";
const NO_DRIVER: &str = "The browser tests need the chromedriver of the installed Chrome's version: \
     put it on PATH, or set CHROMEDRIVER to it (see https://googlechromelabs.github.io/chrome-for-testing/).";

pub(crate) fn find_or_install() -> Result<Browser> {
    if (chrome().is_none() || driver().is_none()) && apt_can_install() {
        announce("install Chromium and its driver (apt)", || {
            let sentence = "apt could not install chromium and chromium-driver: is there a network?";
            run(Command::new("apt-get").args(["update", "-qq"]), sentence)?;
            let mut install = Command::new("apt-get");
            install.args([
                "install",
                "-y",
                "-qq",
                "--no-install-recommends",
                "chromium",
                "chromium-driver",
            ]);
            run(install.env("DEBIAN_FRONTEND", "noninteractive"), sentence)
        })?;
    }
    Ok(Browser {
        chrome: chrome().ok_or_else(|| Failure(NO_CHROME.to_owned()))?,
        driver: driver().ok_or_else(|| Failure(NO_DRIVER.to_owned()))?,
    })
}

fn chrome() -> Option<PathBuf> {
    named_by("CHROME")
        .or_else(|| CHROME_NAMES.iter().find_map(|name| on_path(name)))
        .or_else(|| CHROME_PLACES.iter().map(PathBuf::from).find(|place| place.is_file()))
}

fn driver() -> Option<PathBuf> {
    named_by("CHROMEDRIVER").or_else(|| on_path("chromedriver"))
}

fn named_by(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|program| program.is_file())
}

/// Debian as root. (Ubuntu's package of that name is a stub for snap, which containers lack.)
fn apt_can_install() -> bool {
    let debian =
        std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"));
    debian && on_path("apt-get").is_some() && capture(Command::new("id").arg("-u")).text.trim() == "0"
}
