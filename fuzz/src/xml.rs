//! Answers of EC2 in XML: read or refused; a tree is as deep as the reader allows, and what is looked for in it is found or
//! not.

#[allow(dead_code)] // what the clients use of it is more than is checked here
#[path = "../../src/aws/xml.rs"]
mod reader;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(answer) = reader::Element::read(bytes) else { return };
    assert_eq!(reader::Element::read(bytes).as_ref(), Ok(&answer), "reading twice is reading once");
    for list in ["reservationSet", "instancesSet", "vpcEndpointSet", "item"] {
        for item in answer.items(list) {
            let _ = (item.text("instanceId"), item.own_text(), item.items("groupSet").count());
        }
    }
}
