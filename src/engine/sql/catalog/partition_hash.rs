//! The hash by which PostgreSQL divides rows among hash partitions (`hash_bytes_extended`, Bob Jenkins' lookup3).
//!
//! Integers hash by their value, text by its bytes; the hashes of several keys are combined.

use base::Value;

const SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// Of a partition key; NULLs count for nothing.
pub(super) fn hash_of(key: &[Value]) -> u64 {
    let mut row = 0_u64;
    for value in key.iter().filter(|value| !value.is_null()) {
        row = combine(row, hash_value(value));
    }
    row
}

fn combine(a: u64, b: u64) -> u64 {
    let mixed = b
        .wrapping_add(0x49a0_f4dd_15e5_a8e3)
        .wrapping_add(a << 54)
        .wrapping_add(a >> 7);
    a ^ mixed
}

fn hash_value(value: &Value) -> u64 {
    match value {
        Value::Bool(b) => hash_word(u32::from(*b)),
        Value::Int4(n) | Value::Date(n) => hash_word(*n as u32),
        Value::Int8(n) | Value::Timestamptz(n) => {
            // Equal to the hash of the same number as an int.
            let (low, high) = (*n as u32, (*n >> 32) as u32);
            hash_word(low ^ if *n >= 0 { high } else { !high })
        }
        value => hash_bytes(value.to_string().as_bytes()),
    }
}

/// `hash_uint32_extended`
fn hash_word(word: u32) -> u64 {
    let mut state = start(4);
    state[0] = state[0].wrapping_add(word);
    finish(&mut state)
}

fn start(length: usize) -> [u32; 3] {
    let initial = 0x9e37_79b9_u32.wrapping_add(length as u32).wrapping_add(3_923_095);
    let mut state = [initial; 3];
    state[0] = state[0].wrapping_add((SEED >> 32) as u32);
    state[1] = state[1].wrapping_add(SEED as u32);
    mix(&mut state);
    state
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut state = start(bytes.len());
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    let mut rest = bytes;
    while rest.len() >= 12 {
        for (part, four) in state.iter_mut().zip(rest.chunks(4)) {
            *part = part.wrapping_add(word(four));
        }
        mix(&mut state);
        rest = &rest[12..];
    }
    for (at, four) in rest.chunks(4).enumerate() {
        // The last word's lowest byte is the length's.
        let value = if at == 2 { word(four) << 8 } else { word(four) };
        state[at] = state[at].wrapping_add(value);
    }
    finish(&mut state)
}

fn mix(state: &mut [u32; 3]) {
    let [a, b, c] = state;
    let step = |x: &mut u32, y: &mut u32, z: &mut u32, bits: u32| {
        *x = x.wrapping_sub(*z) ^ z.rotate_left(bits);
        *z = z.wrapping_add(*y);
    };
    step(a, b, c, 4);
    step(b, c, a, 6);
    step(c, a, b, 8);
    step(a, b, c, 16);
    step(b, c, a, 19);
    step(c, a, b, 4);
}

fn finish(state: &mut [u32; 3]) -> u64 {
    let [a, b, c] = state;
    let step = |x: &mut u32, y: u32, bits: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(bits));
    step(c, *b, 14);
    step(a, *c, 11);
    step(b, *a, 25);
    step(c, *b, 16);
    step(a, *c, 4);
    step(b, *a, 14);
    step(c, *b, 24);
    u64::from(*b) << 32 | u64::from(*c)
}
