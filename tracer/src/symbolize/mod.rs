//! From addresses in the process to names: a program counter to its frames, a type pointer to its type.
//!
//! It hides where a name comes from. Go functions are named by pclntab: it is in every Go program,
//! stripped or not, takes no loading, and knows files, lines and inlined calls as exactly as DWARF
//! does. What pclntab does not know is C code: DWARF names it, else the symbol table.

mod dwarf;
mod element;
mod frame;
mod goroot;
mod package;
mod pclntab;
mod screen;
mod symbols;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

pub use dwarf::DebugInfoError;
pub use frame::Frame;
pub use package::{is_runtime, package, printed};
pub use screen::Disproportionate;
pub use symbols::Symbols;

use crate::program::{
    Access, CodeBudget, GoBinary, GoType, LoadBias, MapType, RuntimePc, UnknownType,
    VirtualAddress, text::printable,
};

use dwarf::DebugInfo;
use frame::Place;
use goroot::GoRootSource;

/// How many addresses are remembered, at some 200 bytes each; then all are forgotten at once.
const MAX_REMEMBERED: usize = 1 << 17;

/// How a program counter came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It is the address of the instruction that was executing.
    Exact,
    /// It is what a call pushed: the instruction after the call, which may belong to another line, or
    /// even to the next function. The call itself is looked up.
    ReturnAddress,
}

/// Why a program counter has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unnamed {
    /// It is not in the executable's code: a shared library, the vDSO, or a frame pointer that leads
    /// nowhere.
    #[error("outside the code of the executable")]
    OutsideExecutable,
    /// It is in the executable's code, but no table names what is there.
    #[error("not in any known function")]
    NoFunction,
}

/// Which tables name a program counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameSource {
    /// The first that knows it: pclntab, DWARF, the symbol table.
    #[default]
    Any,
    /// pclntab alone.
    Pclntab,
    /// DWARF alone.
    Dwarf,
}

impl NameSource {
    fn includes(self, table: Self) -> bool {
        self == Self::Any || self == table
    }
}

/// Names the addresses of one process, and remembers them.
#[derive(Debug)]
pub struct Symbolizer {
    binary: Arc<GoBinary>,
    bias: LoadBias,
    source: NameSource,
    goroot: Option<GoRootSource>,
    debug_info: Lazy<DebugInfo>,
    names: Names,
    frames: HashMap<VirtualAddress, Result<Arc<[Frame]>, Unnamed>>,
    types: HashMap<VirtualAddress, Result<Arc<GoType>, UnknownType>>,
    /// Code that may still be searched for types.
    code_budget: CodeBudget,
}

/// Debug information that is loaded when an address first needs it.
#[derive(Debug)]
enum Lazy<T> {
    NotLoaded,
    Loaded(Option<T>),
    Failed(DebugInfoError),
}

impl Symbolizer {
    /// A symbolizer for a process that runs `binary`, moved by `bias`.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>, bias: LoadBias) -> Self {
        Self::with_source(binary, bias, NameSource::Any)
    }

    /// A symbolizer that names program counters by `source`, so that sources can be compared.
    #[must_use]
    pub fn with_source(binary: Arc<GoBinary>, bias: LoadBias, source: NameSource) -> Self {
        Self {
            goroot: find_goroot(&binary),
            binary,
            bias,
            source,
            debug_info: Lazy::NotLoaded,
            names: Names::default(),
            frames: HashMap::new(),
            types: HashMap::new(),
            code_budget: CodeBudget::default(),
        }
    }

    /// The calls that are at `pc`, from the innermost inlined one to the function that holds the code;
    /// at least one.
    ///
    /// # Errors
    /// The reason why there is no name. That is no failure: a stack may lead anywhere.
    pub fn frames(&mut self, pc: RuntimePc, lookup: Lookup) -> Result<Arc<[Frame]>, Unnamed> {
        let pc = match lookup {
            Lookup::Exact => pc,
            Lookup::ReturnAddress => RuntimePc(pc.0.wrapping_sub(1)),
        };
        let address = self.bias.to_link_time(pc);
        if let Some(known) = self.frames.get(&address) {
            return known.clone();
        }
        if !self.binary.elf().is_code(address) {
            // Not remembered: there is no end of such addresses.
            return Err(Unnamed::OutsideExecutable);
        }
        let frames = self.name(address);
        if self.frames.len() == MAX_REMEMBERED {
            self.frames.clear();
            self.names.0.clear();
        }
        self.frames.insert(address, frames.clone());
        frames
    }

    /// What the instruction at `pc` does with memory; `None` if it touches none or is not in the executable.
    pub fn access(&self, pc: RuntimePc) -> Option<Access> {
        self.binary.access_at(self.bias.to_link_time(pc))
    }

    /// The map type whose descriptor is at `pointer` in the process.
    pub fn map_type(&self, pointer: RuntimePc) -> Option<MapType> {
        let address = self.bias.to_link_time(pointer);
        self.binary.types().map(address).ok()
    }

    /// The type whose descriptor is at `pointer` in the process.
    ///
    /// # Errors
    /// The reason why it is not known.
    pub fn go_type(&mut self, pointer: RuntimePc) -> Result<Arc<GoType>, UnknownType> {
        let address = self.bias.to_link_time(pointer);
        if let Some(known) = self.types.get(&address) {
            return known.clone();
        }
        let go_type = self.binary.types().read(address).map(Arc::new);
        if go_type == Err(UnknownType::Outside) {
            return go_type;
        }
        if self.types.len() == MAX_REMEMBERED {
            self.types.clear();
        }
        self.types.insert(address, go_type.clone());
        go_type
    }

    /// Why the names of C functions lack their lines although the executable has debug information.
    #[must_use]
    pub fn debug_info_error(&self) -> Option<&DebugInfoError> {
        match &self.debug_info {
            Lazy::Failed(error) => Some(error),
            Lazy::NotLoaded | Lazy::Loaded(_) => None,
        }
    }

    fn name(&mut self, address: VirtualAddress) -> Result<Arc<[Frame]>, Unnamed> {
        let pclntab = self.source.includes(NameSource::Pclntab);
        let table = self.binary.pclntab().filter(|_| pclntab);
        let go = table
            .map(|table| pclntab::frames(table, address))
            .unwrap_or_default();
        // A C function may be called `print.part.0`, which is no package `print`.
        let language = if go.is_empty() && table.is_some() {
            Language::C
        } else {
            Language::Go
        };
        let mut places = go;
        if places.is_empty() && self.source.includes(NameSource::Dwarf) {
            places = from_debug_info(&mut self.debug_info, &self.binary, address);
        }
        if places.is_empty() && self.source == NameSource::Any {
            places.extend(from_symbols(&self.binary, address));
        }
        let outermost = places.len().saturating_sub(1);
        let goroot = self.goroot.as_ref();
        let frames: Arc<[Frame]> = places
            .into_iter()
            .enumerate()
            .map(|(depth, place)| self.names.frame(place, language, depth < outermost, goroot))
            .collect();
        if frames.is_empty() {
            Err(Unnamed::NoFunction)
        } else {
            Ok(frames)
        }
    }
}

fn from_debug_info<'a>(
    debug_info: &'a mut Lazy<DebugInfo>,
    binary: &GoBinary,
    address: VirtualAddress,
) -> Vec<Place<'a>> {
    if matches!(debug_info, Lazy::NotLoaded) {
        *debug_info = DebugInfo::load(binary.elf()).map_or_else(Lazy::Failed, Lazy::Loaded);
    }
    match debug_info {
        // A unit that cannot be parsed leaves its functions to the symbol table.
        Lazy::Loaded(Some(info)) => info.frames(address).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn from_symbols(binary: &GoBinary, address: VirtualAddress) -> Option<Place<'_>> {
    let function = binary.function_at(address)?;
    Some(Place {
        function: Cow::Borrowed(function.name),
        file: None,
        line: None,
    })
}

fn find_goroot(binary: &GoBinary) -> Option<GoRootSource> {
    let malloc = binary.function("runtime.mallocgc")?;
    let places = pclntab::frames(binary.pclntab()?, malloc.address);
    GoRootSource::from_malloc(places.last()?.file.as_deref()?)
}

/// What a function was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Go,
    C,
}

/// Strings that many frames share.
#[derive(Debug, Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn intern(&mut self, name: &str) -> Arc<str> {
        let name = printable(name);
        if let Some(known) = self.0.get(&*name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }

    fn frame(
        &mut self,
        place: Place<'_>,
        language: Language,
        inlined: bool,
        goroot: Option<&GoRootSource>,
    ) -> Frame {
        let package = match language {
            Language::Go => package(&place.function),
            Language::C => Cow::Borrowed(""),
        };
        let file = place.file.as_deref();
        let from_runtime = goroot
            .zip(file)
            .is_some_and(|(goroot, file)| goroot.is_runtime(file));
        Frame {
            function: self.intern(&printed(&place.function)),
            package: self.intern(&package),
            file: file.map(|file| self.intern(file)),
            line: place.line,
            inlined,
            runtime: from_runtime || is_runtime(&package),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fixture::{BASE, END, Fixture, Image, MALLOC, MemoryFile, OUTER};

    const BIAS: LoadBias = LoadBias(0x5555_0000_0000);

    fn fixture() -> (Symbolizer, Image) {
        let image = Fixture {
            elf_type: 3,
            ..Fixture::default()
        }
        .build();
        let binary = GoBinary::open(&MemoryFile::new(&image.bytes).path()).unwrap();
        (Symbolizer::new(Arc::new(binary), BIAS), image)
    }

    fn moved(address: u64) -> RuntimePc {
        BIAS.to_runtime(VirtualAddress(address))
    }

    #[test]
    fn a_symbolizer_can_move_to_another_thread() {
        fn movable<T: Send>() {}
        movable::<Symbolizer>();
    }

    #[test]
    fn a_return_address_belongs_to_the_call_before_it() {
        let (mut symbolizer, _) = fixture();
        let mut functions = |pc, lookup| {
            let frames = symbolizer.frames(moved(pc), lookup).unwrap();
            frames
                .iter()
                .map(|frame| frame.function.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(functions(OUTER + 16, Lookup::Exact), ["main.outer"]);
        assert_eq!(
            functions(OUTER + 16, Lookup::ReturnAddress),
            ["main.inner", "main.outer"]
        );
        // A call that never returns may be a function's last instruction.
        assert_eq!(functions(MALLOC, Lookup::Exact), ["runtime.mallocgc"]);
        assert_eq!(functions(MALLOC, Lookup::ReturnAddress), ["main.outer"]);
    }

    #[test]
    fn frames_say_what_is_inlined_and_what_is_the_runtimes() {
        let (mut symbolizer, _) = fixture();
        let frames = symbolizer.frames(moved(OUTER + 8), Lookup::Exact).unwrap();
        let [inner, outer] = &*frames else {
            panic!("{frames:?}")
        };
        assert!(inner.inlined && !outer.inlined);
        assert_eq!((&*inner.package, inner.line), ("main", Some(20)));
        assert_eq!(inner.file.as_deref(), Some("/go/src/runtime/malloc.go"));
        assert!(
            inner.is_runtime(),
            "package main, but in a file of the runtime"
        );
        assert!(
            Arc::ptr_eq(&inner.package, &outer.package),
            "names are shared"
        );
    }

    #[test]
    fn an_address_without_a_name_has_a_reason() {
        let (mut symbolizer, image) = fixture();
        let mut reason = |pc| symbolizer.frames(RuntimePc(pc), Lookup::Exact).unwrap_err();
        let data = moved(BASE + image.bytes.len() as u64 - 1);
        for outside in [0, OUTER, data.0, u64::MAX] {
            assert_eq!(reason(outside), Unnamed::OutsideExecutable);
        }
        assert_eq!(reason(moved(END).0), Unnamed::NoFunction);
        let wrapped = symbolizer.frames(RuntimePc(0), Lookup::ReturnAddress);
        assert_eq!(wrapped, Err(Unnamed::OutsideExecutable));
        assert!(symbolizer.debug_info_error().is_none());
    }

    #[test]
    fn what_was_asked_before_is_remembered() {
        let (mut symbolizer, image) = fixture();
        let mut ask = || {
            let frames = symbolizer.frames(moved(OUTER), Lookup::Exact).unwrap();
            (frames, symbolizer.go_type(moved(image.user)).unwrap())
        };
        let (first, again) = (ask(), ask());
        assert!(Arc::ptr_eq(&first.0, &again.0) && Arc::ptr_eq(&first.1, &again.1));
        assert_eq!(first.1.name, "main.User");
        let outside = symbolizer.go_type(RuntimePc(image.user));
        assert_eq!(outside, Err(UnknownType::Outside));
    }
}
