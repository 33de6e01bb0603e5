//! Takes out of an object what neither the kernel nor the agent reads: DWARF, and the relocations of debug
//! information. BTF stays, with which the kernel names types, functions and lines.

use anyhow::{Context as _, Result};
use object::{
    build::elf::{Builder, SectionData},
    elf,
};

/// The object without DWARF.
pub(super) fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object).context("the linker wrote no ELF file")?;
    let mut removed = Vec::new();
    for section in &mut builder.sections {
        if section.name.starts_with(b".debug_") {
            section.delete = true;
            removed.push(section.id());
        } else if section.name.starts_with(b".BTF") {
            // Loaders find by name what BTF leaves open, as libbpf does.
            removed.push(section.id());
        }
    }
    for section in &mut builder.sections {
        if matches!(section.data, SectionData::Relocation(_))
            && section
                .sh_info_section
                .is_some_and(|target| removed.contains(&target))
        {
            section.delete = true;
        }
    }
    // LLVM keeps the names of sections and of symbols in one table; the builder keeps two.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    builder
        .write(&mut stripped)
        .context("cannot write the object without DWARF")?;
    Ok(stripped)
}
