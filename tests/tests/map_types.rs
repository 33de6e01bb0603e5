//! Map types are read out of real executables, position-independent and stripped ones included.

use std::collections::BTreeMap;
use tracer::program::{GoBinary, MapType, VirtualAddress};
use tracer_tests::{Build, for_each_build};

/// Beyond the last address of an executable that is linked at 4 MiB, as Go's linker does, and has a few more.
const END: u64 = 16 << 20;

/// Every map type of an executable, by name: all addresses are tried, so no table is needed that lists them.
fn map_types(build: &Build) -> BTreeMap<String, MapType> {
    let path = build.path();
    let binary = GoBinary::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let types = binary.types();
    (0..END)
        .step_by(8)
        .map(VirtualAddress)
        .filter_map(|address| Some((types.read(address).ok()?.name, types.map(address).ok()?)))
        .collect()
}

#[test]
fn a_map_type_is_read_from_every_build() {
    for_each_build("known", |build| {
        let types = map_types(build);
        assert!(
            types.keys().all(|name| name.starts_with("map[")),
            "{types:?}"
        );
        let map = &types["map[string]*main.node"];
        assert_eq!((&*map.key.name, map.key.pointer_bytes), ("string", 8));
        assert_eq!(&*map.elem.name, "*main.node");
        assert_eq!((map.elem.size_bytes, map.elem.pointer_bytes), (8, 8));
        // Eight keys of 16 bytes, eight elements of 8, one byte for each entry, and in a bucket the pointer to the
        // next.
        let bytes = if build.has_swiss_maps() { 200 } else { 208 };
        assert_eq!(map.group_size_bytes, bytes);
        assert_eq!(map.group_pointer_bytes, map.group_size_bytes);
    });
}
