//! Writes tiny MMDB files (IPv4, 24-bit records) for tests: <https://maxmind.github.io/MaxMind-DB/>.

/// A value of the data section.
#[derive(Clone)]
pub enum Data {
    Text(&'static str),
    U16(u16),
    U32(u32),
    U64(u64),
    List(Vec<Data>),
    Map(Vec<(&'static str, Data)>),
}

const MAP: usize = 7;
const LIST: usize = 11;

impl Data {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(2, text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::U16(number) => number_bytes(5, &number.to_be_bytes(), out),
            Self::U32(number) => number_bytes(6, &number.to_be_bytes(), out),
            Self::U64(number) => number_bytes(9, &number.to_be_bytes(), out),
            Self::List(items) => {
                control(LIST, items.len(), out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(fields) => {
                control(MAP, fields.len(), out);
                for (name, value) in fields {
                    Self::Text(name).write(out);
                    value.write(out);
                }
            }
        }
    }
}

fn number_bytes(kind: usize, bytes: &[u8], out: &mut Vec<u8>) {
    control(kind, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Type and size; types above 7 stand in a byte of their own.
fn control(kind: usize, size: usize, out: &mut Vec<u8>) {
    assert!(size < 29 + 256);
    let short = size.min(29) as u8;
    if kind > 7 {
        out.extend_from_slice(&[short, kind as u8 - 7]);
    } else {
        out.push((kind as u8) << 5 | short);
    }
    if size >= 29 {
        out.push((size - 29) as u8);
    }
}

/// Where a branch of the search tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    Data(usize),
}

/// A database of these networks (address, prefix length, record).
pub fn database(networks: &[([u8; 4], u8, Data)]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nowhere; 2]];
    let mut data = Vec::new();
    for (address, prefix, record) in networks {
        insert(
            &mut nodes,
            u32::from_be_bytes(*address),
            *prefix,
            data.len(),
        );
        record.write(&mut data);
    }
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let number = match branch {
            Branch::Nowhere => nodes.len(),
            Branch::Node(index) => *index,
            Branch::Data(offset) => nodes.len() + 16 + offset,
        };
        out.extend_from_slice(&(number as u32).to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    metadata(nodes.len()).write(&mut out);
    out
}

fn insert(nodes: &mut Vec<[Branch; 2]>, address: u32, prefix: u8, offset: usize) {
    let bit = |depth: u8| (address >> (31 - depth) & 1) as usize;
    let mut node = 0;
    for depth in 0..prefix - 1 {
        node = match nodes[node][bit(depth)] {
            Branch::Node(next) => next,
            _ => {
                nodes.push([Branch::Nowhere; 2]);
                let next = nodes.len() - 1;
                nodes[node][bit(depth)] = Branch::Node(next);
                next
            }
        };
    }
    nodes[node][bit(prefix - 1)] = Branch::Data(offset);
}

fn metadata(nodes: usize) -> Data {
    Data::Map(vec![
        ("binary_format_major_version", Data::U16(2)),
        ("binary_format_minor_version", Data::U16(0)),
        ("build_epoch", Data::U64(1_795_348_800)),
        ("database_type", Data::Text("Test")),
        ("description", Data::Map(vec![])),
        ("ip_version", Data::U16(4)),
        ("languages", Data::List(vec![])),
        ("node_count", Data::U32(nodes as u32)),
        ("record_size", Data::U16(24)),
    ])
}
