//! A deployment drawn: boxes, cylinders, tabs, stripes, and the walls between them, from its data alone.
//!
//! ```text
//! ┌────────────────────┐   a box is a server, a cylinder a database, a column the tables of an owner,
//! │ ╭────────────────╮ │   a stripe the rows of a tenant
//! │ │ auth ┆ mail    │ │
//! │ │ A    ┆ A       │ │   ┆ dashed: kept apart by the application alone
//! │ │━━━━━━━━━━━━━━━━│ │   ━ solid: enforced by the engine; a gap in it: a probe came through
//! │ │ B    ┆ B       │ │
//! ```
//!
//! An event bus is three logs in a box behind the servers.

use super::Html;
use crate::{DeploymentPicture, PictureServer, PictureStore, StoreKind, Tenancy, Wall, WallKind};

const HEIGHT: f64 = 70.0;
/// Where stripes begin and end.
const TOP: f64 = 23.0;
const BOTTOM: f64 = 62.0;
const COLUMN: f64 = 29.0;
const PADDING: f64 = 5.0;
const BUS: f64 = 34.0;
const BETWEEN_STORES: f64 = 8.0;
const BETWEEN_SERVERS: f64 = 9.0;
/// More of a kind are counted, not drawn.
const MOST_SERVERS: usize = 4;
const MOST_STORES: usize = 3;
const MOST_DOMAINS: usize = 4;
const TENANTS: [(&str, &str); 3] = [("A", "stripe a"), ("B", "stripe b"), ("C", "stripe c")];

/// An SVG drawing with its sentence for those who do not see it.
pub fn picture(html: &mut Html, picture: &DeploymentPicture) {
    let servers = &picture.servers[..picture.servers.len().min(MOST_SERVERS)];
    let drawn: f64 = servers
        .iter()
        .map(|server| server_width(server) + BETWEEN_SERVERS)
        .sum();
    let more = picture.servers.len() - servers.len();
    let bus = if picture.topics > 0 { BUS + BETWEEN_SERVERS } else { 0.0 };
    let width = (drawn + if more > 0 { 26.0 } else { 0.0 } + bus).max(20.0);
    let (wide, view) = (length(width), format!("0 0 {} {}", length(width), length(HEIGHT)));
    let sentence = picture.sentence();
    let attributes = [
        ("class", "picture"),
        ("width", wide.as_str()),
        ("height", "70"),
        ("viewBox", view.as_str()),
        ("role", "img"),
        ("aria-label", sentence.as_str()),
    ];
    html.within("svg", &attributes, |html| {
        html.element("title", "", &sentence);
        let mut x = 1.0;
        for (index, server) in servers.iter().enumerate() {
            if index > 0 {
                wall_between(html, picture, server, x - BETWEEN_SERVERS / 2.0);
            }
            draw_server(html, picture, server, x);
            x += server_width(server) + BETWEEN_SERVERS;
        }
        if more > 0 {
            label(html, "more", x, HEIGHT / 2.0 + 4.0, &format!("+{more}"));
        }
        if picture.topics > 0 {
            draw_bus(html, width - BUS - 1.0);
        }
    });
}

/// The fills that tell tenants apart without colour: once on every page with a picture.
pub fn hatchings() -> &'static str {
    concat!(
        "<svg class=\"hatchings\" width=\"0\" height=\"0\" aria-hidden=\"true\" focusable=\"false\"><defs>",
        "<pattern id=\"hatch-wait\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line y2=\"6\" class=\"hatch-wait\"/></pattern>",
        "<pattern id=\"hatch-part\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\"><line y2=\"6\" class=\"hatch-part\"/></pattern>",
        "<pattern id=\"hatch-broken\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line y2=\"7\" class=\"hatch-broken\"/></pattern>",
        "<pattern id=\"stripe-b\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect width=\"4\" height=\"4\" class=\"ground b\"/><line y2=\"4\" class=\"hatch b\"/></pattern>",
        "<pattern id=\"stripe-c\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect width=\"4\" height=\"4\" class=\"ground c\"/><circle cx=\"2\" cy=\"2\" r=\".9\" class=\"hatch c\"/></pattern>",
        "</defs></svg>"
    )
}

fn shown(server: &PictureServer) -> &[PictureStore] {
    &server.stores[..server.stores.len().min(MOST_STORES)]
}

fn server_width(server: &PictureServer) -> f64 {
    let stores: f64 = shown(server)
        .iter()
        .map(|store| store_width(store) + BETWEEN_STORES)
        .sum();
    let more = if server.stores.len() > MOST_STORES { 26.0 } else { 0.0 };
    stores - BETWEEN_STORES + 2.0 * PADDING + more
}

/// A column per owner where the rows of all tenants lie together; else one.
fn columns(store: &PictureStore) -> &[String] {
    let most = if store.tenants == Tenancy::All || store.kind != StoreKind::Database {
        MOST_DOMAINS
    } else {
        1
    };
    &store.domains[..store.domains.len().min(most)]
}

fn store_width(store: &PictureStore) -> f64 {
    match store.kind {
        StoreKind::Items | StoreKind::Objects => 64.0,
        StoreKind::Database => columns(store).len().max(1) as f64 * COLUMN,
    }
}

fn draw_server(html: &mut Html, picture: &DeploymentPicture, server: &PictureServer, left: f64) {
    // Nobody's own machine has round corners.
    let class = if server.managed { "server managed" } else { "server" };
    let radius = if server.managed { 12.0 } else { 3.0 };
    rect(html, class, left, 1.0, server_width(server), HEIGHT - 2.0, radius);
    let mut x = left + PADDING;
    for (index, store) in shown(server).iter().enumerate() {
        if index > 0 {
            let wall = if matches!(store.tenants, Tenancy::One(_)) {
                &picture.tenant_wall
            } else {
                &picture.domain_wall
            };
            wall_line(
                html,
                wall.as_ref(),
                (x - BETWEEN_STORES / 2.0, 6.0),
                (x - BETWEEN_STORES / 2.0, HEIGHT - 6.0),
            );
        }
        draw_store(html, picture, store, x);
        x += store_width(store) + BETWEEN_STORES;
    }
    if server.stores.len() > MOST_STORES {
        label(
            html,
            "more",
            x + 6.0,
            HEIGHT / 2.0 + 4.0,
            &format!("+{}", server.stores.len() - MOST_STORES),
        );
    }
}

fn draw_bus(html: &mut Html, left: f64) {
    rect(html, "server", left, 1.0, BUS, HEIGHT - 2.0, 3.0);
    label(html, "tab", left + BUS / 2.0, TOP - 8.0, "bus");
    for row in 0..3 {
        let (y, x) = (TOP + f64::from(row) * 13.0, left + PADDING);
        rect(html, "items", x, y, BUS - 2.0 * PADDING, 8.0, 4.0);
    }
}

fn draw_store(html: &mut Html, picture: &DeploymentPicture, store: &PictureStore, x: f64) {
    let width = store_width(store);
    match store.kind {
        StoreKind::Items | StoreKind::Objects => rect(html, "items", x, 9.0, width, HEIGHT - 16.0, 5.0),
        StoreKind::Database => cylinder(html, x, width),
    }
    let owners = columns(store);
    let column = width / owners.len().max(1) as f64;
    let named = !owners.is_empty() && store.kind == StoreKind::Database;
    if named {
        for (index, owner) in owners.iter().enumerate() {
            let short: String = owner.chars().take(4).collect();
            label(html, "tab", x + (index as f64 + 0.5) * column, TOP - 2.5, &short);
        }
    }
    let top = if store.kind == StoreKind::Database { TOP } else { 12.0 };
    match store.tenants {
        Tenancy::All => stripes(html, picture, x, width, top),
        Tenancy::One(tenant) => {
            let (letter, class) = TENANTS[tenant as usize % TENANTS.len()];
            rect(html, class, x + 3.0, top + 1.0, width - 6.0, BOTTOM - top - 2.0, 1.5);
            label(html, "letter", x + width / 2.0, (top + BOTTOM) / 2.0 + 3.0, letter);
        }
        Tenancy::None => {}
    }
    if store.kind == StoreKind::Database {
        for index in 1..owners.len() {
            let at = x + index as f64 * column;
            wall_line(html, picture.domain_wall.as_ref(), (at, 15.0), (at, BOTTOM + 1.0));
        }
    }
}

fn stripes(html: &mut Html, picture: &DeploymentPicture, x: f64, width: f64, top: f64) {
    let height = (BOTTOM - top) / TENANTS.len() as f64;
    for (index, (letter, class)) in TENANTS.iter().enumerate() {
        let y = top + index as f64 * height;
        rect(html, class, x + 3.0, y + 1.5, width - 6.0, height - 3.0, 1.5);
        label(html, "letter", x + 9.0, y + height / 2.0 + 3.0, letter);
        if index > 0 {
            wall_line(html, picture.tenant_wall.as_ref(), (x + 1.0, y), (x + width - 1.0, y));
        }
    }
}

/// Servers stand apart by tenant or by owner.
fn wall_between(html: &mut Html, picture: &DeploymentPicture, server: &PictureServer, x: f64) {
    let by_tenant = server
        .stores
        .iter()
        .any(|store| matches!(store.tenants, Tenancy::One(_)));
    let wall = if by_tenant {
        &picture.tenant_wall
    } else {
        &picture.domain_wall
    };
    wall_line(html, wall.as_ref(), (x, 1.0), (x, HEIGHT - 1.0));
}

fn wall_line(html: &mut Html, wall: Option<&Wall>, from: (f64, f64), to: (f64, f64)) {
    let Some(wall) = wall else { return };
    let class = match wall.kind {
        WallKind::Engine => "wall engine",
        WallKind::Application => "wall application",
    };
    let point = |share: f64| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
    if wall.hole {
        line(html, class, from, point(0.38));
        line(html, class, point(0.62), to);
    } else {
        line(html, class, from, to);
    }
}

fn line(html: &mut Html, class: &str, from: (f64, f64), to: (f64, f64)) {
    let d = format!(
        "M{} {}L{} {}",
        length(from.0),
        length(from.1),
        length(to.0),
        length(to.1)
    );
    html.within("path", &[("class", class), ("d", &d)], |_| {});
}

fn rect(html: &mut Html, class: &str, x: f64, y: f64, width: f64, height: f64, radius: f64) {
    let [x, y, width, height, radius] = [x, y, width, height, radius].map(length);
    let attributes = [
        ("class", class),
        ("x", &x),
        ("y", &y),
        ("width", &width),
        ("height", &height),
        ("rx", &radius),
    ];
    html.within("rect", &attributes, |_| {});
}

fn cylinder(html: &mut Html, x: f64, width: f64) {
    let (half, x) = (length(width / 2.0), length(x));
    let back = length(-width);
    let d = format!(
        "M{x} 9a{half} 3.6 0 0 1 {w} 0V{BOTTOM}a{half} 3.6 0 0 1 {back} 0zM{x} 9a{half} 3.6 0 0 0 {w} 0",
        w = length(width)
    );
    html.within("path", &[("class", "database"), ("d", &d)], |_| {});
}

fn label(html: &mut Html, class: &str, x: f64, y: f64, text: &str) {
    let (x, y) = (length(x), length(y));
    let attributes = [("class", class), ("x", &x), ("y", &y), ("text-anchor", "middle")];
    html.within("text", &attributes, |html| html.text(text));
}

/// Tenths of a pixel are enough.
fn length(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(picture: &DeploymentPicture) -> String {
        let mut html = Html::default();
        super::picture(&mut html, picture);
        html.finish()
    }

    fn store(name: &str, domains: &[&str], tenants: Tenancy) -> PictureStore {
        PictureStore {
            name: name.to_owned(),
            kind: StoreKind::Database,
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            tenants,
        }
    }

    fn server(stores: Vec<PictureStore>) -> PictureServer {
        PictureServer {
            name: "postgres".to_owned(),
            managed: false,
            stores,
        }
    }

    fn wall(kind: WallKind, hole: bool) -> Option<Wall> {
        Some(Wall {
            kind,
            by: "x".to_owned(),
            hole,
        })
    }

    #[test]
    fn a_wall_of_the_engine_is_solid_and_one_of_the_application_dashed() {
        let picture = DeploymentPicture {
            servers: vec![server(vec![store("main", &["auth", "mail"], Tenancy::All)])],
            topics: 0,
            tenant_wall: wall(WallKind::Application, false),
            domain_wall: wall(WallKind::Engine, false),
        };
        let text = drawn(&picture);
        assert_eq!(text.matches("wall application").count(), 2, "between three stripes");
        assert_eq!(text.matches("wall engine").count(), 1, "between two owners");
        assert!(text.contains(">auth<") && text.contains(">A<"));
    }

    #[test]
    fn a_hole_is_a_gap_in_the_wall() {
        let picture = |hole| DeploymentPicture {
            servers: vec![server(vec![
                store("a", &[], Tenancy::One(0)),
                store("b", &[], Tenancy::One(1)),
            ])],
            topics: 0,
            tenant_wall: wall(WallKind::Engine, hole),
            domain_wall: None,
        };
        assert_eq!(drawn(&picture(false)).matches("wall engine").count(), 1);
        assert_eq!(drawn(&picture(true)).matches("wall engine").count(), 2);
    }

    #[test]
    fn what_is_too_much_to_draw_is_counted() {
        let stores = (0..50)
            .map(|tenant| store("t", &["auth"], Tenancy::One(tenant)))
            .collect();
        let picture = DeploymentPicture {
            servers: vec![server(stores)],
            topics: 0,
            tenant_wall: wall(WallKind::Engine, false),
            domain_wall: None,
        };
        assert!(drawn(&picture).contains(">+47<"));
        assert!(
            picture
                .sentence()
                .starts_with("50 databases on 1 server; between tenants: x, enforced by the engine")
        );
        let servers = (0..9)
            .map(|_| server(vec![store("s", &["auth"], Tenancy::All)]))
            .collect();
        assert!(
            drawn(&DeploymentPicture {
                servers,
                ..DeploymentPicture::default()
            })
            .contains(">+5<")
        );
    }

    #[test]
    fn an_event_bus_stands_beside_the_servers() {
        let picture = DeploymentPicture {
            servers: vec![server(vec![store("main", &["auth"], Tenancy::All)])],
            topics: 2,
            ..DeploymentPicture::default()
        };
        assert!(drawn(&picture).contains(">bus<"));
        assert_eq!(picture.sentence(), "1 database on 1 server, an event bus with 2 topics");
    }

    #[test]
    fn nothing_at_all_is_still_a_drawing() {
        assert!(drawn(&DeploymentPicture::default()).starts_with("<svg"));
    }
}
