//! The switches that the programs test first: words of memory that they share with the agent.

use super::KernelError;
use aya::Ebpf;
use aya::maps::{Array, MapData};
use std::fmt;
use tracer_common::config::{self, RowState, SWITCHES};
use tracer_common::family::Extra;

/// The switches that the programs test first.
pub(super) struct Switches {
    map: Array<MapData, [u64; SWITCHES]>,
    words: [u64; SWITCHES],
}

impl fmt::Debug for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switches")
    }
}

impl Switches {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let name = config::MAP_SWITCHES;
        let map = ebpf.take_map(name).ok_or(KernelError::Incomplete(name))?;
        Ok(Switches {
            map: Array::try_from(map).map_err(|source| KernelError::map(name, source))?,
            words: [0; SWITCHES],
        })
    }

    pub(super) fn set_recording(&mut self, state: u64) -> Result<(), KernelError> {
        self.set(config::SWITCH_RECORDING, state)
    }

    pub(super) fn set_row(&mut self, row: u8, state: RowState) -> Result<(), KernelError> {
        self.set(config::SWITCH_ROWS + usize::from(row), state.0)
    }

    pub(super) fn set_extra(&mut self, extra: Extra, state: u64) -> Result<(), KernelError> {
        self.set(extra.switch(), state)
    }

    fn set(&mut self, number: usize, word: u64) -> Result<(), KernelError> {
        if let Some(switch) = self.words.get_mut(number) {
            *switch = word;
        }
        let written = self.map.set(0, self.words, 0);
        written.map_err(|source| KernelError::map(config::MAP_SWITCHES, source))
    }
}
