meta:
  id: linr
  title: .linr, a losslessly compressed image, stack of images, sound or array of numbers, or a bundle of tensors or arrays
  file-extension: linr
  xref:
    mime: application/x-linr
  license: MIT
  ks-version: 0.9
  encoding: UTF-8
  endian: le
  bit-endian: be
doc: |
  The container of version 1, its header, its tile index and the frame of a manifest. The tiles, the network, the plan after its first byte, and the metadata are
  left as bytes.
  Kaitai Struct cannot check the CRC of a section, nor the rules between sections: see SPEC.md.
doc-ref: SPEC.md
seq:
  - id: content
    type:
      switch-on: is_compact
      cases:
        true: compact
        false: framed
instances:
  fourth_byte:
    pos: 3
    type: u1
  is_compact:
    value: fourth_byte == 0x0a
types:
  framed:
    seq:
      - id: magic
        contents: [0x89, LINR, 0x0d, 0x0a, 0x1a, 0x0a]
      - id: version
        contents: [1]
      - id: sections
        type: section
        repeat: until
        repeat-until: _.code == "END!"
  compact:
    doc: |
      A file of one tile without frames (SPEC.md 1, "Compact files"). What HEAD says follows from the type, but for what is here.
    seq:
      - id: magic
        contents: [0x89, LI, 0x0a]
      - id: profile
        type: b2
        enum: profile
      - id: has_metadata
        type: b1
      - id: has_value_map
        type: b1
      - id: type
        type: b4
      - id: len_head
        type: varint
        if: type == 15
      - id: head
        size: len_head.value
        if: type == 15
        doc: HEAD from its second byte up to its digest.
      - id: shape
        type: varint
        repeat: expr
        repeat-expr: num_sizes
        if: type != 15
        doc: The sizes of the coordinate axes.
      - id: rate
        type: varint
        if: type == 11 or type == 12
      - id: offset
        type: signed
        if: has_value_map
        doc: Without a value map, the values are the samples, of a signed type the samples + 2^15.
      - id: step
        type: varint
        if: has_value_map
      - id: bits
        type: u1
        if: has_value_map
      - id: digest
        size: 4
        doc: The first bytes of the digest that HEAD would have.
      - id: len_metadata
        type: varint
        if: has_metadata
      - id: metadata
        size: len_metadata.value
        type: metadata
        if: has_metadata
      - id: len_plan
        type: varint
        if: profile == profile::hybrid
      - id: plan
        size: len_plan.value
        if: profile == profile::hybrid
        type: plan
      - id: tile
        size: _io.size - _io.pos - 4
      - id: crc
        type: u4
        doc: CRC-32 of all bytes before it.
    instances:
      num_sizes:
        value: 'type >= 11 ? 1 : 2'
  section:
    doc: |
      A decoder refuses a file with a section that it does not know if the code begins with a capital letter.
    seq:
      - id: code
        type: str
        size: 4
        encoding: ASCII
      - id: len_content
        type: varint
      - id: content
        size: len_content.value
        type:
          switch-on: code
          cases:
            '"HEAD"': head
            '"meta"': metadata
            '"prev"': preview
            '"seek"': seek
            '"HYBR"': plan
            '"TIDX"': tile_index
            '"BNDL"': manifest
            '"LINR"': linr
      - id: crc
        type: u4
        doc: CRC-32 of code and content.
  head:
    seq:
      - id: lossy
        type: b1
        doc: The samples are not in the file, only a network that was fitted to them.
      - id: digest_of_tiles
        type: b1
        doc: The digest is made of the digests of the tiles.
      - id: profile
        type: b6
        enum: profile
      - id: kind
        type: u1
        enum: kind
      - id: sample_type
        type: u1
      - id: bit_depth
        type: u1
      - id: num_dimensions
        type: u1
        valid:
          min: 1
          max: 4
      - id: shape
        type: varint
        repeat: expr
        repeat-expr: num_dimensions
      - id: rate
        type: varint
        if: kind == kind::audio
        doc: Frames per second.
      - id: float_map
        type: float_map
        if: sort == sort::float
      - id: offset
        type: signed
      - id: step
        type: varint
      - id: bits
        type: u1
        valid:
          max: 64
        doc: "A sample, or the integer that stands for a float, is offset + step * value, with 0 <= value < 2^bits."
      - id: digest
        size-eos: true
        doc: 32 bytes, or the first 4 of them. SHA-256 of kind, sample type, bit depth, dimensions, shape and rate, then of the samples, little-endian, or of the tile size and of the SHA-256 of each tile's samples.
    instances:
      sort:
        value: sample_type & 3
        enum: sort
      bytes_per_sample:
        value: 1 << (sample_type >> 2 & 3)
      big_endian:
        value: (sample_type & 32) != 0
      complex:
        value: (sample_type & 16) != 0
        doc: A sample is two floats of bytes_per_sample each, the real part first.
      bfloat16:
        value: (sample_type & 64) != 0
      channel_axis:
        value: (kind == kind::image and num_dimensions == 3) or (kind == kind::audio and num_dimensions == 2) or (kind == kind::stack and num_dimensions == 4)
        doc: Whether the last axis holds the channels of a place.
      num_coordinate_axes:
        value: 'channel_axis ? num_dimensions - 1 : num_dimensions'
  float_map:
    doc: Which float an integer stands for.
    seq:
      - id: two_zeros
        type: b1
        doc: An integer below 0 stands for what -1 - n stands for, with the other sign.
      - id: has_missing
        type: b1
      - id: way
        type: b6
        enum: float_way
      - id: missing_pattern
        type: varint
        if: has_missing
        doc: The bits of the float that stands for a missing value.
      - id: missing_number
        type: signed
        if: has_missing
        doc: The integer that stands for it.
      - id: exponent
        type: signed
        if: way == float_way::fixed or way == float_way::split
      - id: digits
        type: u1
        if: way == float_way::split
      - id: factor
        type: f8
        if: way == float_way::product or way == float_way::quotient
      - id: format
        type: u1
        enum: narrow_format
        if: way == float_way::narrow
  manifest:
    doc: |
      The manifest of a bundle (SPEC.md 18), whose streams are the sections LINR. It comes first; the file has no HEAD then.
    seq:
      - id: kind
        type: u1
        enum: bundle_kind
        valid:
          max: 1
      - id: digest
        size: 32
        doc: SHA-256 of names, types, shapes and elements of all tensors; of arrays, of the items and of the digests of all streams.
      - id: len_items
        type: varint
      - id: items
        size-eos: true
        doc: A Brotli stream of metadata, groups and tensors; or of metadata and arrays.
  metadata:
    seq:
      - id: len_items
        type: varint
      - id: items
        size-eos: true
        doc: A Brotli stream of items (key length, key, value length, value).
  preview:
    seq:
      - id: webp
        size-eos: true
        doc: "A lossy WebP file of an eighth of the rows and columns; decoding needs none of it (SPEC.md 20)."
  seek:
    seq:
      - id: index
        type: u8
        doc: Bytes before section TIDX. Decoding does not need it.
  plan:
    doc: |
      The plan of the profile hybrid: of a sound (SPEC.md 16), of an array (21), of a turned array (21.8), or of a picture (10), whose brief
      form begins with 128 or more.
    seq:
      - id: kind
        type: u1
        enum: plan_kind
      - id: content
        size-eos: true
        type:
          switch-on: kind
          cases:
            'plan_kind::array': array_plan
            'plan_kind::turned': turned_plan
  array_plan:
    doc: Which floats the values of an array are predicted as. Its tiles are bricks, each with all else that it is decoded with.
    seq:
      - id: kind
        type: u1
        enum: value_kind
        valid:
          max: 4
      - id: offset
        type: signed
        if: kind != value_kind::numbers
      - id: step
        type: varint
        if: kind != value_kind::numbers
        doc: A value stands for float number offset + step * value, in the order of the floats; -1 is -0, and 0 is 0.
  turned_plan:
    doc: The plan of the array or picture that was coded. Its rows and columns are reversed as said here, and exchanged after that.
    seq:
      - id: reserved
        type: b5
        valid: 0
      - id: exchanged
        type: b1
      - id: columns_reversed
        type: b1
      - id: rows_reversed
        type: b1
      - id: plan
        type: plan
  tile_index:
    doc: |
      The tile size along each coordinate axis (see num_coordinate_axes of the header, which may come later in the file), then
      the length of each tile, then, if the tiles are not in order, the number of each TILE section's tile. A lossy file has no tiles, and no
      lengths.
    seq:
      - id: numbers
        type: varint
        repeat: eos
  varint:
    doc: |
      A number in groups of 7 bits, the lowest first. The value is right below 2^63; only offset and step of 64-bit samples can be
      larger, and have a tenth group.
    seq:
      - id: groups
        type: u1
        repeat: until
        repeat-until: _ < 128
    instances:
      value:
        value: >-
          (groups[0] & 127)
          + (groups.size > 1 ? (groups[1] & 127) * 128 : 0)
          + (groups.size > 2 ? (groups[2] & 127) * 16384 : 0)
          + (groups.size > 3 ? (groups[3] & 127) * 2097152 : 0)
          + (groups.size > 4 ? (groups[4] & 127) * 268435456 : 0)
          + (groups.size > 5 ? (groups[5] & 127) * 34359738368 : 0)
          + (groups.size > 6 ? (groups[6] & 127) * 4398046511104 : 0)
          + (groups.size > 7 ? (groups[7] & 127) * 562949953421312 : 0)
          + (groups.size > 8 ? (groups[8] & 127) * 72057594037927936 : 0)
  signed:
    seq:
      - id: z
        type: varint
    instances:
      value:
        value: '(z.value & 1) == 0 ? z.value / 2 : -(z.value / 2) - 1'
enums:
  bundle_kind:
    0: tensors
    1: arrays
  profile:
    0: stored
    1: inr
    2: hybrid
  kind:
    0: image
    1: audio
    2: array
    3: stack
  plan_kind:
    0: planes
    1: lattice
    2: palette
    3: sound
    4: array
    5: turned
  value_kind:
    0: numbers
    1: binary16
    2: bfloat16
    3: binary32
    4: binary64
  sort:
    0: bool
    1: unsigned
    2: signed
    3: float
  float_way:
    0: bits
    1: fixed
    2: product
    3: quotient
    4: split
    5: narrow
  narrow_format:
    0: binary16
    1: bfloat16
    2: binary32
