//! Whole scenarios through the compilers.

mod listing;

use program::Compilation;
use scenario::Scenario;

const SIGN_UP: &str = include_str!("../../../../public/scenarios/sign-up.toml");

fn scenario(text: &str) -> Scenario {
    let parsed = scenario::parse(text);
    match parsed.scenario {
        Some(scenario) => scenario,
        None => panic!(
            "{}",
            parsed
                .diagnostics
                .iter()
                .map(|d| d.to_string())
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

fn compile(slug: &str, text: &str) -> Compilation {
    let design = architecture::design(slug).expect("a design of this slug");
    design.compile(&scenario(text), &[])
}

#[test]
fn print_sign_up() {
    for design in architecture::designs() {
        println!("==== {}", design.slug());
        let c = design.compile(&scenario(SIGN_UP), &[]);
        println!("{}", listing::compilation(&c));
        println!("{:#?}\n{:#?}", c.weakened, c.refusals);
    }
}
