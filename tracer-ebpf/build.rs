//! Emits `bpf_target_arch`, which chooses the machine registers in `args.rs`.

fn main() {
    println!("cargo:rustc-check-cfg=cfg(bpf_target_arch, values(\"x86_64\", \"aarch64\"))");
    println!("cargo:rerun-if-env-changed=AYA_BPF_TARGET_ARCH");
    let arch = std::env::var("AYA_BPF_TARGET_ARCH").unwrap_or_else(|_| "x86_64".to_owned());
    println!("cargo:rustc-cfg=bpf_target_arch=\"{arch}\"");
}
