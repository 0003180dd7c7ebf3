//! Nodes go down and come up again.

use base::Nanos;
use program::{EventKind, NodeId, NodeKind, ProgramId, ProgramKind};

use crate::activation::{Activation, Origin};
use crate::call::down;
use crate::plan::Plan;
use crate::world::{Happening, Life, World};

impl World {
    /// The node's process is gone, at once.
    pub(crate) fn crash(&mut self, plan: &Plan, node: NodeId, restart_after: Option<Nanos>) {
        let state = &mut self.nodes[node.index()];
        match state.life {
            Life::Down => return,
            Life::Recovering(_) => self.quiet.restarting -= 1,
            Life::Up => {}
        }
        state.life = Life::Down;
        state.epoch += 1;
        state.crashes += 1;
        state.cpu.clear();
        let epoch = state.epoch;
        self.emit(node, None, EventKind::NodeCrashed);
        self.kill_programs(plan, node);
        self.abandon_connections(plan, node);
        for (index, pool) in plan.compilation.deployment.pools.iter().enumerate() {
            if pool.service == node {
                self.pools[index].clear();
            }
        }
        self.kill_server(plan, node);
        self.kill_bus(plan, node);
        if plan.compilation.deployment.node(node).kind == NodeKind::Client {
            self.silence_clients(node);
        }
        if let Some(after) = restart_after {
            self.quiet.restarting += 1;
            self.scheduler.after(after, Happening::NodeRestarts { node, epoch });
        }
    }

    /// Whoever waits for a program there sees its connection reset.
    fn kill_programs(&mut self, plan: &Plan, node: NodeId) {
        for key in self.activations.keys(|activation| activation.node == node) {
            let Some(activation) = self.activations.remove(key) else {
                continue;
            };
            let Activation { origin, .. } = *activation;
            if !matches!(origin, Origin::Periodic { .. }) {
                self.quiet.running -= 1;
            }
            if let Origin::Caller(caller) = origin {
                self.reply(plan, node, &caller, Err(down(plan, node)));
            }
        }
    }

    fn kill_server(&mut self, plan: &Plan, node: NodeId) {
        let Some(server) = &mut self.nodes[node.index()].server else {
            return;
        };
        server.engine.crash();
        server.wal.clear();
        server.wal_writer = false;
        server.sessions.clear();
        for key in self.connections.keys(|connection| connection.server == node) {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.session = None;
            let service = connection.service;
            let latency = self.latency(plan, node, service);
            self.scheduler.after(latency, Happening::ConnectionBreaks(key));
        }
    }

    /// The time that it was to stay down is over: it starts.
    pub(crate) fn node_restarts(&mut self, plan: &Plan, node: NodeId, epoch: u32) {
        let state = &mut self.nodes[node.index()];
        if state.epoch != epoch {
            return;
        }
        let costs = &plan.profile.recovery;
        let takes = match (&mut state.server, plan.compilation.deployment.node(node).kind) {
            (Some(server), _) => {
                let replayed = server.engine.recover().wal_bytes_replayed;
                costs.server_restart_ns + Nanos((costs.wal_byte_ns * replayed as f64) as u64)
            }
            (None, NodeKind::Client) => Nanos::ZERO,
            (None, NodeKind::EventBus) => costs.server_restart_ns,
            (None, _) => costs.service_restart_ns,
        };
        self.scheduler.after(takes, Happening::NodeReady { node, epoch });
    }

    /// Its process runs; before it takes requests, its recovery programs do their work.
    pub(crate) fn node_ready(&mut self, plan: &Plan, node: NodeId, epoch: u32) {
        if self.nodes[node.index()].epoch != epoch {
            return;
        }
        self.emit(node, None, EventKind::NodeRestarted);
        self.watch_server(plan, node);
        let recovery = |program: &program::Program| program.home == node && program.kind == ProgramKind::Recovery;
        let programs = plan
            .compilation
            .programs
            .iter()
            .enumerate()
            .filter(|(_, program)| recovery(program));
        let programs: Vec<ProgramId> = programs.map(|(index, _)| ProgramId(index as u16)).collect();
        if programs.is_empty() {
            self.open_doors(plan, node);
            return;
        }
        self.nodes[node.index()].life = Life::Recovering(programs.len() as u16);
        for program in programs {
            self.start_program(plan, program, Vec::new(), None, Origin::Recovery);
        }
    }

    /// A recovery that has failed is begun again, as a process that dies at its start is started again.
    pub(crate) fn recovery_ended(&mut self, plan: &Plan, node: NodeId, program: ProgramId, well: bool) {
        let state = &mut self.nodes[node.index()];
        let Life::Recovering(running) = state.life else { return };
        if !well {
            let again = Happening::RecoverAgain {
                node,
                epoch: state.epoch,
                program,
            };
            self.scheduler
                .after(plan.profile.recovery.service_restart_ns.max(Nanos(1)), again);
        } else if running > 1 {
            state.life = Life::Recovering(running - 1);
        } else {
            self.open_doors(plan, node);
        }
    }

    pub(crate) fn recover_again(&mut self, plan: &Plan, node: NodeId, epoch: u32, program: ProgramId) {
        if self.nodes[node.index()].epoch == epoch {
            self.start_program(plan, program, Vec::new(), None, Origin::Recovery);
        }
    }

    fn open_doors(&mut self, plan: &Plan, node: NodeId) {
        self.nodes[node.index()].life = Life::Up;
        self.quiet.restarting -= 1;
        // What relays could not do meanwhile they find to do now.
        self.quiet.changes += 1;
        self.plan_relays(plan, Some(node));
        if plan.compilation.deployment.node(node).kind == NodeKind::Client {
            self.wake_clients(plan, node);
        }
    }
}
