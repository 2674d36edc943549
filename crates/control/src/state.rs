//! What readers see: everything at one position, unchanging.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use daybreak_document as document;
use daybreak_engine as engine;
use daybreak_model::limits::SKETCHES_MAX;
use daybreak_model::wire::{self, Enveloped, Measure, Position, SketchWanted};
use daybreak_model::{Condition, DrawBy, Flag, Key, Kind, Resources, SharedMap, Slo};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::control::not_found;
use crate::packed::Packed;
use crate::subscription::Packing;
use crate::{Refusal, hub, packed, resources};

/// The revision that last changed each resource.
pub(crate) type Revisions = SharedMap<(Kind, Key), u64>;

/// All resources at one position, compiled and encoded. Whoever has one keeps it as it is, whatever changes
/// meanwhile.
#[derive(Debug)]
pub struct State {
    position: Position,
    environment: Arc<str>,
    resources: Arc<Resources>,
    revisions: Arc<Revisions>,
    files_base: Arc<Resources>,
    snapshot: Arc<engine::Snapshot>,
    flags_revision: u64,
    framed: OnceLock<Framed>,
    /// That `framed` is there, for who waits.
    encoded: OnceCell<()>,
    packed: OnceCell<Packed>,
}

/// The snapshot as the stream's first message; what is polled is a part of it.
#[derive(Debug)]
struct Framed {
    message: Bytes,
    /// Where its data begins.
    data: usize,
}

/// One resource, in the form that people write.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// Its key.
    pub key: Key,
    /// The revision that last changed it: with the store before it, its ETag.
    pub revision: u64,
    /// The resource in its document form.
    #[serde(flatten)]
    pub document: serde_json::Value,
}

impl State {
    /// Everything anew.
    pub(crate) fn new(position: Position, environment: Arc<str>, resources: Resources, revisions: Revisions) -> Self {
        let snapshot = Arc::new(engine::compile(flags(&resources, &revisions), &conditions(&resources)));
        let evaluated = |kind: Kind| matches!(kind, Kind::Flag | Kind::Segment);
        let last = revisions.iter().filter(|((kind, _), _)| evaluated(*kind)).map(|(_, revision)| *revision).max();
        Self {
            position,
            environment,
            resources: Arc::new(resources),
            revisions: Arc::new(revisions),
            files_base: Arc::default(),
            snapshot,
            flags_revision: last.unwrap_or(0),
            framed: OnceLock::new(),
            encoded: OnceCell::new(),
            packed: OnceCell::new(),
        }
    }

    /// The same, with another base of the files' next merge.
    pub(crate) fn with_files_base(self, files_base: Arc<Resources>) -> Self {
        let mut files_base = Arc::unwrap_or_clone(files_base);
        resources::share(&mut files_base, &self.resources);
        Self { files_base: Arc::new(files_base), ..self }
    }

    /// The same resources at a later position: only runs or events changed.
    pub(crate) fn moved_to(&self, position: Position) -> Self {
        Self {
            position,
            environment: Arc::clone(&self.environment),
            resources: Arc::clone(&self.resources),
            revisions: Arc::clone(&self.revisions),
            files_base: Arc::clone(&self.files_base),
            snapshot: Arc::clone(&self.snapshot),
            flags_revision: self.flags_revision,
            framed: OnceLock::new(),
            encoded: OnceCell::new(),
            packed: OnceCell::new(),
        }
    }

    /// Other resources at a later position. Of flags and segments only those that changed are compiled anew, and those
    /// that may mean something else by that.
    pub(crate) fn changed_to(&self, position: Position, resources: Resources, changed: &[(Kind, Key)]) -> Self {
        let mut revisions = Revisions::clone(&self.revisions);
        for (kind, key) in changed {
            match resources.contains(*kind, key.as_str()) {
                true => revisions.insert((*kind, key.clone()), position.revision),
                false => revisions.remove(&(*kind, key.clone())),
            };
        }
        let of = |wanted: Kind| changed.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, key)| key);
        let flag = |key| resources.flags.get(key).map(|flag| (flag.as_ref(), position.revision));
        let changed_flags = of(Kind::Flag).map(|key| (key, flag(key)));
        let changed_segments: BTreeSet<Key> = of(Kind::Segment).cloned().collect();
        let mut next = self.moved_to(position);
        if !changed_segments.is_empty() {
            let segments = conditions(&resources);
            let all = || flags(&resources, &revisions);
            let snapshot = self.snapshot.with_segments(&segments, &changed_segments, changed_flags, all);
            next.snapshot = Arc::new(snapshot);
            next.flags_revision = position.revision;
        } else if of(Kind::Flag).next().is_some() {
            next.snapshot = Arc::new(self.snapshot.with_flags(changed_flags));
            next.flags_revision = position.revision;
        }
        next.resources = Arc::new(resources);
        next.revisions = Arc::new(revisions);
        next
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The server's environment.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// All resources.
    #[must_use]
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What the files said when they were applied last.
    pub(crate) fn files_base(&self) -> &Resources {
        &self.files_base
    }

    /// The flags, ready to be evaluated.
    #[must_use]
    pub fn snapshot(&self) -> &engine::Snapshot {
        &self.snapshot
    }

    /// The last revision that changed flags or segments: what OFREP's ETag covers. Runs never move it.
    #[must_use]
    pub fn flags_revision(&self) -> u64 {
        self.flags_revision
    }

    /// What clients are to count of their root requests.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        let counted = self.resources.slos.iter().filter(|(_, slo)| slo.sli.has_arms());
        counted.map(|(key, slo)| self.measure(key, slo)).collect()
    }

    /// The attributes whose values clients are to count: those that faults draw by. The salt is the server's own.
    #[must_use]
    pub(crate) fn sketches(&self, salt: &str) -> Vec<SketchWanted> {
        let faults = self.resources.faults.values().filter(|fault| fault.enabled);
        let sticky = faults.filter_map(|fault| match &fault.by {
            DrawBy::Attribute(name) => Some((fault.point.clone(), name.to_string())),
            DrawBy::Request => None,
        });
        let distinct: BTreeSet<_> = sticky.collect();
        let wanted = |(point, attribute)| SketchWanted { point, attribute, salt: salt.to_owned() };
        distinct.into_iter().take(SKETCHES_MAX).map(wanted).collect()
    }

    /// What makes a request good by this SLO, as it is now.
    pub(crate) fn measure(&self, key: &Key, slo: &Slo) -> Measure {
        let revision = self.revision(Kind::Slo, key.as_str()).unwrap_or_default();
        Measure { slo: key.clone(), revision, operation: slo.sli.operation.clone(), good: slo.sli.good }
    }

    /// The revision that last changed a resource: its ETag. None where there is no such resource.
    #[must_use]
    pub fn revision(&self, kind: Kind, key: &str) -> Option<u64> {
        let key = Key::new(key).ok()?;
        self.revisions.get(&(kind, key)).copied()
    }

    /// The same key as it is kept here, so that it is kept once.
    pub(crate) fn shared_key(&self, resource: (Kind, Key)) -> (Kind, Key) {
        self.revisions.get_key_value(&resource).map_or(resource, |(shared, _)| shared.clone())
    }

    /// One resource, in the form that people write.
    #[must_use]
    pub fn resource(&self, kind: Kind, key: &str) -> Option<Resource> {
        let key = Key::new(key).ok()?;
        let document = document::encode_resource(&self.resources, kind, key.as_str())?;
        let revision = self.revisions.get(&(kind, key.clone())).copied().unwrap_or(self.position.revision);
        Some(Resource { key, revision, document })
    }

    /// Whether a resource has a list that is long, so that writing it out takes a while.
    #[must_use]
    pub fn is_long(&self, kind: Kind, key: &str) -> bool {
        Key::new(key).is_ok_and(|key| document::has_long_list(&self.resources, kind, &key))
    }

    /// One resource, as answers to changes tell it: of lists with more than [`VALUES_TOLD_MAX`] values the first ones.
    ///
    /// [`VALUES_TOLD_MAX`]: daybreak_model::limits::VALUES_TOLD_MAX
    #[must_use]
    pub fn told(&self, kind: Kind, key: &str) -> Option<Resource> {
        let key = Key::new(key).ok()?;
        let document = document::tell_resource(&self.resources, kind, &key)?.form;
        let revision = self.revisions.get(&(kind, key.clone())).copied().unwrap_or(self.position.revision);
        Some(Resource { key, revision, document })
    }

    /// That there is no such resource; with the nearest key that there is.
    #[must_use]
    pub fn not_found(&self, kind: Kind, key: &str) -> Refusal {
        not_found(&self.resources, kind, key)
    }

    /// All resources of one kind by key, in the form that people write.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Vec<Resource> {
        self.resources.keys(kind).iter().filter_map(|key| self.resource(kind, key.as_str())).collect()
    }

    /// The snapshot that SDKs poll, as JSON that ends in a newline. It is encoded once.
    #[must_use]
    pub fn wire_snapshot(&self) -> Bytes {
        let Framed { message, data } = self.framed();
        // A message ends in an empty line.
        message.slice(*data..message.len() - 1)
    }

    /// Its length as the stream's first message, in bytes, where that has been encoded.
    pub(crate) fn encoded_length(&self) -> Option<usize> {
        self.framed.get().map(|framed| framed.message.len())
    }

    /// The same, encoded away from the threads that answer requests: all who ask after a change wait for the same.
    pub async fn encoded(self: &Arc<Self>) -> Bytes {
        let state = Arc::clone(self);
        // Where there is no such thread any more, it is encoded here.
        let encoding = || async { drop(tokio::task::spawn_blocking(move || drop(state.wire_snapshot())).await) };
        self.encoded.get_or_init(encoding).await;
        self.wire_snapshot()
    }

    /// The same, compressed once, away from those threads.
    pub async fn packed(self: &Arc<Self>) -> Packed {
        let packing = || async {
            let line = self.encoded().await;
            let packed = {
                let line = line.clone();
                tokio::task::spawn_blocking(move || Packed::new(&line)).await
            };
            packed.unwrap_or_else(|_| Packed::new(&line))
        };
        self.packed.get_or_init(packing).await.clone()
    }

    /// The snapshot as the first message of a stream, in pieces, and with what such a stream begins with.
    pub(crate) async fn first_message(self: &Arc<Self>, packing: Packing) -> Vec<Bytes> {
        match packing {
            Packing::Plain => {
                self.encoded().await;
                vec![self.framed().message.clone()]
            }
            Packing::Gzip => {
                let packed = self.packed().await;
                let (head, end) = (self.head(), Bytes::from_static(b"\n\n"));
                let mut pieces = packed::stored(&head.into());
                pieces.push(packed.within());
                pieces.extend(packed::stored(&end));
                pieces
            }
        }
    }

    fn head(&self) -> String {
        hub::head("snapshot", Some(self.position))
    }

    fn framed(&self) -> &Framed {
        self.framed.get_or_init(|| {
            let mut message = self.head().into_bytes();
            let data = message.len();
            // None of its parts lacks a JSON form.
            drop(serde_json::to_writer(&mut message, &self.to_wire()));
            message.extend_from_slice(b"\n\n");
            Framed { message: message.into(), data }
        })
    }

    fn to_wire(&self) -> wire::Snapshot {
        let enveloped = |kind: Kind, key: &Key| self.enveloped(kind, key).map(|enveloped| (key.clone(), enveloped));
        wire::Snapshot {
            position: self.position,
            environment: self.environment.to_string(),
            flags: self.resources.flags.keys().filter_map(|key| enveloped(Kind::Flag, key)).collect(),
            segments: self.resources.segments.keys().filter_map(|key| enveloped(Kind::Segment, key)).collect(),
        }
    }

    /// A flag or a segment for the wire.
    pub(crate) fn enveloped(&self, kind: Kind, key: &Key) -> Option<Enveloped> {
        let revision = self.revisions.get(&(kind, key.clone())).copied()?;
        match kind {
            Kind::Flag => Enveloped::new(revision, self.resources.flags.get(key)?).ok(),
            Kind::Segment => Enveloped::new(revision, self.resources.segments.get(key)?).ok(),
            Kind::Fault | Kind::Hours | Kind::Slo | Kind::OnCall => None,
        }
    }
}

/// All flags, each with the revision that last changed it.
fn flags<'r>(resources: &'r Resources, revisions: &'r Revisions) -> impl Iterator<Item = (&'r Key, &'r Flag, u64)> {
    let revision = |key: &Key| revisions.get(&(Kind::Flag, key.clone())).copied().unwrap_or(0);
    resources.flags.iter().map(move |(key, flag)| (key, flag.as_ref(), revision(key)))
}

/// The segments' conditions. Their lists are shared.
fn conditions(resources: &Resources) -> BTreeMap<Key, Condition> {
    resources.segments.iter().map(|(key, segment)| (key.clone(), segment.when.clone())).collect()
}
