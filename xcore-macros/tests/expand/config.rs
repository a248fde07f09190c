const _: () = {
    #[allow(unused_imports)]
    use ::xcore::__private::proof::Unprobed as _;
    const FIELDS: &[::xcore::__private::FieldSpec] = &[
        ::xcore::__private::FieldSpec {
            name: "max_lines",
            kind: <::xcore::__private::proof::Probe<usize>>::KIND,
            optional: <::xcore::__private::proof::Probe<usize>>::OPTIONAL,
            required: !<::xcore::__private::proof::Probe<usize>>::OPTIONAL,
            doc: "How many lines an order may have.",
            reported: !::xcore::__private::proof::is_fit(
                <::xcore::__private::proof::Probe<usize>>::KIND,
                <::xcore::__private::proof::Probe<usize>>::OPTIONAL,
                ::xcore::__private::schema::Kind::Integer,
                ::core::option::Option::Some(100i128),
            ),
        },
        ::xcore::__private::FieldSpec {
            name: "retries",
            kind: <::xcore::__private::proof::Probe<u8>>::KIND,
            optional: <::xcore::__private::proof::Probe<u8>>::OPTIONAL,
            required: false,
            doc: "",
            reported: false,
        },
        ::xcore::__private::FieldSpec {
            name: "sender",
            kind: <::xcore::__private::proof::Probe<Option<String>>>::KIND,
            optional: <::xcore::__private::proof::Probe<Option<String>>>::OPTIONAL,
            required: !<::xcore::__private::proof::Probe<Option<String>>>::OPTIONAL,
            doc: "",
            reported: true,
        },
    ];
    #[automatically_derived]
    impl ::xcore::PluginConfig for OrdersConfig {
        const FIELDS: &'static [::xcore::__private::FieldSpec] = FIELDS;
        const REPORTED: &'static [&'static str] = &["currency"];
    }
    const _: () = ::xcore::__private::proof::field_fits(
        "xcore.yaml:9:7",
        &FIELDS[0usize],
        ::xcore::__private::schema::Kind::Integer,
        ::core::option::Option::Some(100i128),
    );
    const _: () = ::xcore::__private::proof::field_is_optional(
        "`sender` is required, but xcore.yaml:8:3 does not set it for plugin `orders`\nhelp: set it there, make the type of the field an `Option`, or give it `#[serde(default)]`",
        &FIELDS[2usize],
    );
    const _: &[u8] = ::core::include_bytes!("/out/xcore_schema.json");
    const _: ::core::option::Option<&str> = ::core::option_env!("XCORE_SCHEMA");
};
::core::compile_error! {
    "xcore.yaml:10:7 sets `currency`, which `OrdersConfig` does not have\nhelp: remove it there, or add a field `currency` here"
}
