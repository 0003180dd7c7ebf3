//! The last touch on a built page, called by Trunk in its staging folder.
//!
//! - The worker's three files move to `worker-<hash>/`, so that a cached page never meets a worker of
//!   another build; the page learns the place from its own start tag.
//! - The program is cut into parts, in `app-<hash>/`; each page says in its head which of them it loads at once.
//! - `scenarios/index.bin` and `schedules/index.bin` list what is built in with the titles that they give themselves.
//! - PGlite is put beside it.
//! - The app's page is written once for each of its routes, and around its section on the page of transaction isolation; Home, decisions and designs become static pages.
//! - While developing (`trunk serve`), the Content-Security-Policy goes, since Trunk's reload script is inline.

use std::path::{Path, PathBuf};

use protocol::BuiltIn;
use toml_edit::DocumentMut;

use crate::parts::Program;
use crate::shell::{Failure, Result, read, root, write};
use crate::site::{entries, named_by_content};
use crate::static_page::{Site, StaticPage};
use crate::{decisions, designs, frame, isolation, parts, pglite};

const WORKER_FILES: [&str; 3] = ["worker.js", "worker_bg.wasm", "worker_loader.js"];

/// A route of the app: the same page at an address of its own, so that any host can serve it.
struct Route {
    /// Its folder.
    path: &'static str,
    /// The program's part that draws it.
    part: &'static str,
    title: &'static str,
    description: &'static str,
}

const ROUTES: [Route; 4] = [
    Route {
        path: "compare/",
        part: "compare",
        title: "Compare",
        description: "The same workload on several database designs: whose rows leak, what a crash leaves, how long it takes, what it costs.",
    },
    Route {
        path: isolation::PATH,
        part: "lab",
        title: isolation::TITLE,
        description: "Which anomalies occur at which level of transaction isolation, each with a schedule that shows it, step by step; and schedules of your own.",
    },
    Route {
        path: "lab/",
        part: "lab",
        title: "Your workload",
        description: "Run a database decision before you write it down: your tables and operations on several designs, and a fault where it hurts.",
    },
    Route {
        path: "run/",
        part: "run",
        title: "One run",
        description: "One operation on a database design, message by message, with a fault where it hurts.",
    },
];

pub(crate) fn finish() -> Result<()> {
    let staging = std::env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from);
    let staging = staging.ok_or_else(|| Failure("`finish-page` is called by Trunk only.".to_owned()))?;
    let worker = move_worker(&staging)?;
    list_scenarios(&staging.join("scenarios"))?;
    isolation::add_schedules(&staging.join("schedules"))?;
    recorded_board(&staging.join("recorded"))?;
    pglite::add_to(&staging)?;
    let index = staging.join("index.html");
    let developing = std::env::var("TRUNK_PROFILE").is_ok_and(|profile| profile == "debug");
    let site = Site::of(&staging)?;
    let program = parts::add_to(&staging, developing)?;
    let page = finished(&read(&index)?, &program, &worker, developing)?;
    let matrix = isolation::recorded()?;
    for route in &ROUTES {
        let mut page = at_route(&page, &program, route)?;
        if route.path == isolation::PATH {
            page = isolation::around_the_app(&page, &matrix)?;
        }
        site.write_text(route.path, &page)?;
    }
    isolation::write(&site, &matrix)?;
    static_pages(&site)?;
    frame::check_links(&staging)
}

/// The board that the app shows before its worker has loaded, as messages travel: reading it takes no code of its own.
fn recorded_board(folder: &Path) -> Result<()> {
    let file = root().join("public/recorded/compare.json");
    let wrong = |error: String| Failure(format!("{}: {error}.", file.display()));
    let board: report::Board = serde_json::from_str(&read(&file)?).map_err(|error| wrong(error.to_string()))?;
    let bytes = protocol::encode(&board).map_err(wrong)?;
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join("compare.bin"), bytes));
    written.map_err(|error| Failure(format!("The recorded board could not be written: {error}.")))
}

/// The app's page with the names of a route, and with its links leading out of the route's folder.
fn at_route(page: &str, program: &Program, route: &Route) -> Result<String> {
    let place = frame::Place {
        root: "../",
        current: route.path,
    };
    let page = page.replace("{preloads}", &program.preloads(route.part)?);
    let page = page.replace("=\"./", "=\"../");
    Ok(page
        .replace("{title}", route.title)
        .replace("{description}", route.description)
        .replace("{header}", &frame::header(place)?)
        .replace("{footer}", &frame::footer()?))
}

/// Pages that are read, not run.
fn static_pages(site: &Site) -> Result<()> {
    home(site)?;
    decisions::write(site)?;
    designs::write(site)?;
    site.write_not_found(&StaticPage {
        path: "",
        title: "Not found",
        description: "There is no such page.",
        current: "",
        content: "<h1>There is no such page</h1>\n<p class=\"lead\">The address leads nowhere, or no longer.</p>\n\
                  <p><a href=\"./\">To the start</a></p>",
    })
}

/// The start: a finished run, and a crash that can be moved along its steps, from recorded findings. The app's page,
/// which Trunk put there, has been written to its routes.
fn home(site: &Site) -> Result<()> {
    let file = root().join("public/recorded/home.json");
    let recorded: report::Recorded =
        serde_json::from_str(&read(&file)?).map_err(|error| Failure(format!("{}: {error}.", file.display())))?;
    let content = format!(
        "<link rel=\"stylesheet\" href=\"home.css\">\n{}\n<script type=\"module\" src=\"home.js\"></script>",
        report::html::home(&recorded, "./")
    );
    site.write(&StaticPage {
        path: "",
        title: "Same workload, five designs",
        description: "Run a database decision before you write it down: the same workload on several designs, and what a crash leaves on each.",
        current: "",
        content: &content,
    })
}

/// The page's text with the places of program and worker, and without its policy while developing.
fn finished(page: &str, program: &Program, worker: &str, developing: bool) -> Result<String> {
    let start = "<script type=\"module\" src=";
    if page.matches(start).count() != 1 {
        return Err(Failure(
            "The page has not exactly one start tag: see pattern_script in Trunk.toml.".to_owned(),
        ));
    }
    let page = page.replace(
        start,
        &format!(
            "<script type=\"module\" data-js=\"{}\" data-wasm=\"{}\" data-worker=\"./{worker}\" src=",
            program.script(),
            program.wasm()
        ),
    );
    let is_policy = |line: &&str| line.contains("http-equiv=\"Content-Security-Policy\"");
    if developing {
        Ok(page
            .lines()
            .filter(|line| !is_policy(line))
            .collect::<Vec<_>>()
            .join("\n"))
    } else {
        Ok(page)
    }
}

/// Gives the loader's place, relative to the page.
fn move_worker(staging: &Path) -> Result<String> {
    let folder = staging.join("worker");
    let failure = |error| Failure(format!("The worker's files could not be moved: {error}."));
    std::fs::create_dir(&folder).map_err(failure)?;
    for name in WORKER_FILES {
        std::fs::rename(staging.join(name), folder.join(name)).map_err(failure)?;
    }
    Ok(format!("{}/worker_loader.js", named_by_content(&folder)?))
}

/// Of which scenario the recorded board is.
fn recorded_scenario() -> Result<String> {
    let file = root().join("public/recorded/compare.json");
    let board: report::Board =
        serde_json::from_str(&read(&file)?).map_err(|error| Failure(format!("{}: {error}", file.display())))?;
    Ok(board.scenario.slug)
}

fn list_scenarios(folder: &Path) -> Result<()> {
    let mut list = Vec::new();
    for file in entries(folder)?
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
    {
        let document: DocumentMut = read(file)?
            .parse()
            .map_err(|error| Failure(format!("{}: {error}", file.display())))?;
        let slug = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let title = document.get("title").and_then(|title| title.as_str()).unwrap_or(&slug);
        let title = title.to_owned();
        list.push((document.contains_key("adr"), BuiltIn { slug, title }));
    }
    // The first of all is what a visitor sees: the recorded one. Then those behind a decision.
    let recorded = recorded_scenario()?;
    list.sort_by_key(|(of_decision, entry)| (entry.slug != recorded, !of_decision));
    let list: Vec<BuiltIn> = list.into_iter().map(|(_, entry)| entry).collect();
    write(&folder.join("index.bin"), protocol::encode(&list).map_err(Failure)?)
}

#[cfg(test)]
mod tests {
    use super::{Program, finished};

    fn program() -> Program {
        Program::of("app-1", &[("compare", &["split_compare"])])
    }

    const PAGE: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"x\">\n\
                        <script type=\"module\" src=\"./start.js\"></script>";

    #[test]
    fn the_page_learns_where_its_worker_is() {
        let page = finished(PAGE, &program(), "worker-1/worker_loader.js", false).unwrap();
        assert!(page.contains("data-worker=\"./worker-1/worker_loader.js\" src=\"./start.js\""));
        assert!(page.contains("data-js=\"./app-1/app.js\""));
        assert!(page.contains("Content-Security-Policy"));
    }

    #[test]
    fn a_route_finds_its_files_one_folder_up() {
        let page = "{header}{preloads}<title>{title}</title><link href=\"./a.css\"><script data-js=\"./a.js\"></script>{footer}";
        let page = super::at_route(page, &program(), &super::ROUTES[0]).unwrap();
        for place in [
            "href=\"../a.css\"",
            "data-js=\"../a.js\"",
            "href=\"../app-1/split_compare.wasm\"",
        ] {
            assert!(page.contains(place), "{place}: {page}");
        }
        assert!(page.contains("<title>Compare</title>") && !page.contains('{'), "{page}");
    }

    #[test]
    fn the_policy_goes_only_while_developing() {
        assert!(
            !finished(PAGE, &program(), "w", true)
                .unwrap()
                .contains("Content-Security-Policy")
        );
    }

    #[test]
    fn a_page_without_its_start_tag_is_refused() {
        assert!(finished("<p>", &program(), "w", false).is_err());
    }
}
