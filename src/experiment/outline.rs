//! What can be chosen in a scenario, and what its designs make of it, without running it.

use architecture::Design;
use program::Compilation;
use report::document::{Block, Table};
use scenario::Diagnostic;

use crate::{Choice, listing, settings};

/// What a text turned out to be.
#[derive(Clone, Debug)]
pub struct Checked {
    /// `None` if there are errors.
    pub outline: Option<Outline>,
    pub diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Debug)]
pub struct Outline {
    pub title: String,
    pub summary: String,
    pub seed: u64,
    pub requests: u64,
    pub rows: u64,
    pub operations: Vec<OperationOutline>,
    pub designs: Vec<DesignOutline>,
}

#[derive(Clone, Debug)]
pub struct OperationOutline {
    pub name: String,
    pub title: String,
    pub writes: bool,
}

#[derive(Clone, Debug)]
pub struct DesignOutline {
    pub slug: String,
    pub title: String,
    pub summary: String,
    pub refusals: usize,
    pub weakened: usize,
    /// Operations that it can express.
    pub expressed: usize,
}

impl Outline {
    /// Is there a design that can express something of it?
    pub fn is_runnable(&self) -> bool {
        self.designs.iter().any(|design| design.expressed > 0)
    }
}

/// Parses, checks and compiles a scenario.
pub fn check(text: &str) -> Checked {
    let scenario::Parsed {
        scenario,
        mut diagnostics,
    } = scenario::parse(text);
    let Some(scenario) = scenario else {
        return Checked {
            outline: None,
            diagnostics,
        };
    };
    let more = architecture::check(&scenario);
    if !more.is_empty() {
        diagnostics.extend(more);
        diagnostics.sort();
        return Checked {
            outline: None,
            diagnostics,
        };
    }
    let operation = |operation: &scenario::Operation| OperationOutline {
        name: operation.name.clone(),
        title: operation.title.clone(),
        writes: !operation.read_only,
    };
    let outline = Outline {
        title: scenario.title.clone(),
        summary: scenario.summary.clone(),
        seed: scenario.seed,
        requests: scenario.load.requests,
        rows: scenario.population.rows(),
        operations: scenario.operations.iter().map(operation).collect(),
        designs: architecture::designs()
            .iter()
            .map(|design| design_outline(design, &scenario))
            .collect(),
    };
    Checked {
        outline: Some(outline),
        diagnostics,
    }
}

fn design_outline(design: &Design, scenario: &scenario::Scenario) -> DesignOutline {
    let compilation = design.compile(scenario, &[]);
    let (title, summary) = describe(design);
    DesignOutline {
        slug: design.slug(),
        title,
        summary,
        refusals: compilation.refusals.len(),
        weakened: compilation.weakened.len(),
        expressed: compilation.entries.iter().flatten().count(),
    }
}

/// Title and summary of a design with its variant.
pub fn describe(design: &Design) -> (String, String) {
    let Design { architecture, variant } = design;
    let summary = if variant.summary.is_empty() {
        architecture.summary()
    } else {
        variant.summary
    };
    (variant.title.to_owned(), summary.to_owned())
}

/// Compiles a scenario on the chosen designs.
///
/// # Errors
///
/// What is wrong with the scenario or the choice.
pub fn compile(text: &str, choice: &Choice) -> Result<Vec<Compilation>, Vec<Diagnostic>> {
    let parsed = scenario::parse(text);
    let Some(mut scenario) = parsed.scenario else {
        return Err(parsed.diagnostics);
    };
    let settings = settings(&mut scenario, choice)?;
    Ok(settings
        .designs
        .iter()
        .map(|design| design.compile(&scenario, &settings.sabotage))
        .collect())
}

/// A compilation as text: deployment, programs, what is weakened or refused.
pub fn compilation_document(compilation: &Compilation) -> Vec<Block> {
    let deployment = &compilation.deployment;
    let mut nodes = Table::new(&["node", "kind", "processors", "databases", "connections"]).numbers(2..3);
    for (index, node) in deployment.nodes.iter().enumerate() {
        let here = |id: program::NodeId| id.index() == index;
        let databases = deployment.databases.iter().filter(|database| here(database.node));
        let pools = deployment.pools.iter().filter(|pool| here(pool.service));
        let pool =
            |pool: &program::Pool| format!("{} × {}", pool.size, deployment.databases[pool.database.index()].name);
        nodes.row([
            node.name.clone(),
            format!("{:?}", node.kind).to_lowercase(),
            node.cores.to_string(),
            databases
                .map(|database| database.name.clone())
                .collect::<Vec<_>>()
                .join(", "),
            pools.map(pool).collect::<Vec<_>>().join(", "),
        ]);
    }
    let mut blocks = vec![Block::Heading(1, compilation.title.clone()), Block::Table(nodes)];
    for database in &deployment.databases {
        blocks.push(Block::Heading(3, format!("Database {}", database.name)));
        blocks.push(Block::Code(
            database
                .definitions
                .iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect(),
        ));
    }
    for program in listing::programs(compilation) {
        blocks.push(Block::Heading(3, format!("{}, run by {}", program.name, program.home)));
        blocks.push(Block::Code(program.lines.iter().flat_map(program_line).collect()));
    }
    blocks.extend(report::limits(
        &compilation.title,
        &compilation.weakened,
        &compilation.refusals,
    ));
    blocks
}

fn program_line(line: &report::ProgramLine) -> Vec<String> {
    let indent = "  ".repeat(usize::from(line.indent));
    let place = line.at.as_ref().map_or_else(String::new, |at| format!("  → {at}"));
    let mut lines = vec![format!("{indent}{}{place}", line.label)];
    lines.extend(
        line.sql
            .iter()
            .flat_map(|sql| sql.lines())
            .map(|sql| format!("{indent}    {sql}")),
    );
    lines
}
