//! What can be chosen in a scenario, and what its designs make of it, without running it.

use architecture::{Design, Standing};
use program::Compilation;
use report::document::{Block, Table};
use scenario::Diagnostic;

use crate::{Choice, listing, probe, settings};

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
    /// Taken where no designs are chosen.
    pub by_default: bool,
    pub slug: String,
    pub title: String,
    pub summary: String,
    pub refusals: usize,
    pub weakened: usize,
    /// Operations that it can express.
    pub expressed: usize,
    /// Probes of it that a real PostgreSQL can be asked about: slug and title.
    pub asks: Vec<(&'static str, &'static str)>,
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
        by_default: design.architecture.standing() == Standing::Chosen,
        slug: design.slug(),
        title,
        summary,
        refusals: compilation.refusals.len(),
        weakened: compilation.weakened.len(),
        expressed: compilation.entries.iter().flatten().count(),
        asks: probe::on_postgres(design, &compilation),
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
        let pools: Vec<String> = pools(deployment, program::NodeId(index as u16));
        nodes.row([
            node.name.clone(),
            node.kind.words().to_owned(),
            node.cores.to_string(),
            several(&databases.map(|database| database.name.as_str()).collect::<Vec<_>>()),
            pools.join(", "),
        ]);
    }
    let mut blocks = vec![Block::Heading(1, compilation.title.clone()), Block::Table(nodes)];
    for (index, database) in deployment.databases.iter().enumerate() {
        if database.template.is_some() && database.definitions.is_empty() {
            continue;
        }
        blocks.push(Block::Heading(3, format!("Database {}", database.name)));
        blocks.push(Block::Code(
            database
                .definitions
                .iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect(),
        ));
        let copies = deployment.databases.iter();
        let copies = copies.filter(|copy| copy.template.is_some_and(|template| template.index() == index));
        let copies: Vec<&str> = copies.map(|copy| copy.name.as_str()).collect();
        if !copies.is_empty() {
            blocks.push(Block::Paragraph(format!(
                "As its template begin: {}.",
                several(&copies)
            )));
        }
    }
    for table in &deployment.item_tables {
        blocks.push(Block::Heading(3, format!("Table {}", table.name)));
        let mut keys = Table::new(&["keys of", "partition key", "sort key"]);
        let all = std::iter::once((&*table.name, &table.key)).chain(table.indexes.iter().map(|i| (&*i.name, &i.key)));
        for (name, key) in all {
            let sort = key.sort.as_ref().map_or_else(String::new, |sort| sort.name.clone());
            keys.row([name.to_owned(), key.partition.name.clone(), sort]);
        }
        blocks.push(Block::Table(keys));
        blocks.push(Block::Code(table.reasons.clone()));
    }
    for bucket in &deployment.buckets {
        blocks.push(Block::Heading(3, format!("Bucket {}", bucket.name)));
        blocks.push(Block::Code(bucket.reasons.clone()));
    }
    if !deployment.topics.is_empty() {
        blocks.push(Block::Heading(3, "Topics".to_owned()));
        let mut topics = Table::new(&["topic", "on", "partitions", "a message carries"]).numbers(2..3);
        for topic in &deployment.topics {
            let fields = topic
                .fields
                .iter()
                .map(|(name, data_type)| format!("{name} {data_type}"));
            topics.row([
                topic.name.clone(),
                deployment.node(topic.node).name.clone(),
                topic.partitions.to_string(),
                fields.collect::<Vec<_>>().join(", "),
            ]);
        }
        blocks.push(Block::Table(topics));
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

/// The connections that a node keeps: those of a route in one line.
fn pools(deployment: &program::Deployment, node: program::NodeId) -> Vec<String> {
    let own = |pool: &program::PoolId| deployment.pools[pool.index()].service == node;
    let line = |pools: &[program::PoolId]| {
        let size = pools.first().map_or(0, |pool| deployment.pools[pool.index()].size);
        let database = |pool: &program::PoolId| deployment.pools[pool.index()].database;
        let names = pools
            .iter()
            .map(|pool| deployment.databases[database(pool).index()].name.as_str());
        format!("{size} × {}", several(&names.collect::<Vec<_>>()))
    };
    let mut routed = Vec::new();
    let mut lines = Vec::new();
    for route in 0..deployment.routes.len() as u16 {
        let pools = deployment.pools_of(program::Connect::Route(program::RouteId(route)));
        if pools.first().is_some_and(own) {
            lines.push(line(&pools));
        }
        routed.extend(pools);
    }
    let others = (0..deployment.pools.len() as u16).map(program::PoolId);
    lines.extend(
        others
            .filter(|pool| own(pool) && !routed.contains(pool))
            .map(|pool| line(&[pool])),
    );
    lines
}

/// `a, b, c`; of many, the first and the last.
fn several(names: &[&str]) -> String {
    match names {
        [first, _, _, _, .., last] => format!("{first} … {last} ({})", names.len()),
        few => few.join(", "),
    }
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
